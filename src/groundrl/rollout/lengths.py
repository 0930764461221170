"""The lengths that model and engine allow for prompt and completion, and the option that bounds
the image tokens of a prompt."""

from collections.abc import Mapping

from groundrl.errors import UserError
from groundrl.policy.policy import Policy
from groundrl.policy.processor import pixel_limits
from groundrl.policy.prompt import Prompt
from groundrl.records import Sample


def check_length(
    policy: Policy,
    sample: Sample,
    prompt: Prompt,
    answer: int,
    answer_option: str | None = None,
    limits: Mapping[str, int | None] = {},
) -> None:
    """Raise UserError where the prompt and ``answer`` tokens together exceed the model's positions
    or one of ``limits``, given by option. ``answer_option``: the option that bounds the answer."""
    text = policy.vlm.config.get_text_config()
    positions = getattr(text, "max_position_embeddings", None)
    length = len(prompt.prefix.tokens)
    for name, limit in {"the model's positions": positions, **limits}.items():
        if limit is None or length + answer <= limit:
            continue
        fewer = [f"{option} for fewer image tokens" for option in pixel_option(policy)]
        lower = [option for option in (answer_option,) if option] + fewer
        raise UserError(
            f"sample {sample.id!r} has a prompt of {length} tokens, and with an answer of "
            f"{answer} that is more than {name} ({limit}): "
            + ", or ".join([f"lower {option}" for option in lower] + ["leave the sample out"])
        )


def pixel_option(policy: Policy) -> dict[str, object]:
    """The option that bounds the tokens of an image, with its value; empty where there is none."""
    limits = pixel_limits(policy.processor)
    return {"model.max_pixels": limits["max_pixels"]} if limits else {}
