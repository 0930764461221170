"""What a sweep needs before it can start, and options that it takes from a table."""

from pathlib import Path

from omegaconf import OmegaConf

from groundrl.config.crosschecks import missing_needs
from groundrl.config.tree import Unknown, plain_tree


def test_a_file_that_is_not_there_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.touch()
    needs = [
        {"path": str(there), "command": "python one.py"},
        {"path": str(tmp_path / "absent"), "command": "python two.py"},
    ]
    (problem,) = missing_needs({"needs": needs})
    assert "absent is not there yet: type first\n   python two.py" in problem
    assert list(missing_needs({})) == list(missing_needs({"needs": []})) == []


def test_a_list_that_a_table_gives_is_checked_at_its_place() -> None:
    cfg = OmegaConf.create(
        {
            "variant": "b",
            "variants": {"a": {"list": [1]}, "b": {"list": [2, 3]}},
            "pipeline": "${variants.${variant}.list}",
            "other": "${variants}",
        }
    )
    problems: list[str] = []
    tree = plain_tree(cfg, problems)
    assert isinstance(tree, dict)
    assert (tree["pipeline"], tree["other"], problems) == ([2, 3], Unknown.ELSEWHERE, [])
