"""Keys never reach a file: an option that holds one is refused, and not repeated."""

import pytest

from groundrl.config.secrets import secret_problems

SECRET = "sk-123"


@pytest.mark.parametrize(
    ("path", "tree"),
    [
        ("a.extra_body.api_key", {"a": {"extra_body": {"api_key": SECRET}}}),
        (
            "a.extra_body.headers.Authorization",
            {"a": {"extra_body": {"headers": {"Authorization": SECRET}}}},
        ),
        ("apiKey", {"apiKey": SECRET}),
        ("x-api-key", {"x-api-key": SECRET}),
        ("hf_token", {"hf_token": SECRET}),
        ("urls.1", {"urls": ["http://localhost:8000/v1", f"https://me:{SECRET}@host/v1"]}),
        ("url", {"url": f"https://{SECRET}@host/v1"}),
        ("url", {"url": f"https://host/v1?model=x&key={SECRET}"}),
        ("url", {"url": f"https://host/v1?api-key={SECRET}"}),
    ],
)
def test_an_option_that_holds_a_key_is_refused(path: str, tree: dict[str, object]) -> None:
    (problem,) = secret_problems(tree)
    assert problem.startswith(f"{path} holds a key")
    assert SECRET not in problem


def test_other_options_are_not() -> None:
    tree = {
        "key_variable": "OPENAI_API_KEY",
        "max_tokens": 16,
        "tokens_per_forward": 8192,
        "token": None,
        "urls": ["https://api.openai.com/v1", "http://user.host:8000/v1?model=a"],
        "question": "Mail me@example.org, or see http://host/what?",
    }
    assert list(secret_problems(tree)) == []
