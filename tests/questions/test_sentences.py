"""Sentences that point."""

from synthesis_views import box

from groundrl.questions.sentences import color_beside, find, listing, state, there_is, weave
from groundrl.records import Grounding, Segments


def at(label: str) -> Grounding:
    return Grounding(label=label, box=box(0, 0, 1, 1))


CUP, OVEN, SKIS = at("red cup"), at("oven"), at("skis")


def text(segments: Segments) -> str:
    return "".join(part if isinstance(part, str) else f"[{part.label}]" for part in segments)


def test_neighbouring_strings_become_one() -> None:
    assert weave("", "a ", "b ", CUP, "", ".") == ("a b ", CUP, ".")


def test_objects_are_listed_with_their_articles() -> None:
    assert text(weave(*listing([CUP, OVEN, SKIS]))) == "[red cup], [oven] and [skis]"
    assert text(weave(*listing([CUP, OVEN], "the"))) == "the [red cup] and the [oven]"
    assert text(there_is([CUP, OVEN, SKIS])) == "There is a [red cup], an [oven] and [skis]."
    assert text(there_is([SKIS], also=True)) == "There are also [skis]."


def test_a_statement_agrees_with_its_subject() -> None:
    assert text(state([CUP], "red")) == "The [red cup] is red."
    assert text(state([SKIS], "left of", CUP)) == "The [skis] are left of the [red cup]."
    assert text(state([CUP, OVEN], "red")) == "The [red cup] and the [oven] are red."
    both = state([CUP, OVEN], "above", SKIS, of_these=True)
    assert text(both) == "Of these, [red cup] and [oven] are above the [skis]."


def test_what_is_asked_for_by_a_relation_is_found_from_its_landmark() -> None:
    one = [text(wording.look_first) for wording in find([OVEN], "left of", CUP)]
    assert one == [
        "Left of the [red cup] is the [oven].",
        "Left of the [red cup] I see the [oven].",
    ]
    both = find([CUP, OVEN], "above", SKIS, of_these=True)[0]
    assert text(both.look_first) == "Of these, above the [skis] are the [red cup] and the [oven]."
    assert text(both.conclude_first) == "Of these, [red cup] and [oven] are above the [skis]."


def test_the_color_of_what_is_found_comes_last() -> None:
    told = color_beside(CUP, "red", "left of", OVEN)
    assert text(told.look_first) == "Left of the [oven] is the [red cup]: red."
    assert text(told.conclude_first) == "The [red cup] left of the [oven] is red."
