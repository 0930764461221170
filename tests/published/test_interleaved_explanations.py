"""Explanations with numbers in square brackets become rationales that point."""

import time

from groundrl.boxes import Box, Frame
from groundrl.published.drivingvqa import interleave
from groundrl.records import Grounding


def entity(label: str, x: float) -> Grounding:
    return Grounding(label=label, box=Box(x1=x, y1=0.0, x2=x + 5, y2=5.0, frame=Frame.PIXEL))


CAR, SIGN = entity("car", 10.0), entity("stop sign", 20.0)


def test_an_entity_takes_the_place_of_its_name_and_its_numbers() -> None:
    text = "The **Car** [0.1, 0.2, 0.3, 0.4] stops at the stop sign [20,0,25,5]."
    assert interleave(text, [SIGN, CAR]) == ("The ", CAR, " stops at the ", SIGN, ".")


def test_entities_of_one_name_come_in_their_order_and_the_last_one_again() -> None:
    other = entity("car", 40.0)
    numbers = "[1, 2, 3, 4]"
    text = f"A car {numbers}, a car {numbers} and that car {numbers}"
    assert interleave(text, [CAR, other]) == ("A ", CAR, ", a ", other, " and that ", other)


def test_the_longest_name_counts_and_only_as_whole_words() -> None:
    numbers = "[1, 2, 3, -4]"
    sign = entity("sign", 60.0)
    assert interleave(f"A stop sign {numbers}", [sign, SIGN]) == ("A ", SIGN)
    assert interleave(f"Oscar {numbers} waits", [CAR]) == ("Oscar waits",)


def test_brackets_of_other_things_stay() -> None:
    assert interleave("See [article 4] and [1, 2].", [CAR]) == ("See [article 4] and [1, 2].",)


def test_a_long_text_takes_linear_time() -> None:
    start = time.perf_counter()
    interleave("[1, 2, " * 20_000 + "9" * 20_000, [CAR])
    assert time.perf_counter() - start < 2
