"""Rows as their publishers describe them become questions with answers and boxes."""

from typing import Any

import pytest

from groundrl.boxes import Frame
from groundrl.data.formats.base import RowContent, RowFormat, UnusableRowError
from groundrl.data.formats.conversations import ConversationRows, PromptRows
from groundrl.data.formats.ms_swift import MsSwiftRows
from groundrl.data.formats.table import TableRows
from groundrl.data.formats.visual_genome import VisualGenomeRows
from groundrl.errors import UserError

FORMATS: dict[str, RowFormat] = {
    "ms_swift": MsSwiftRows(),
    "conversations": ConversationRows(),
    "trl": PromptRows(),
    "visual_genome": VisualGenomeRows(),
    "table": TableRows(),
}


def llava(*values: str, **columns: Any) -> dict[str, Any]:
    """A row of LLaVA: human and gpt take turns."""
    turns = [
        {"from": ("human", "gpt")[index % 2], "value": value} for index, value in enumerate(values)
    ]
    return {"id": "1", "image": "a.png", "conversations": turns} | columns


def messages(*contents: Any, **columns: Any) -> dict[str, Any]:
    """A row of messages: user and assistant take turns."""
    turns = [
        {"role": ("user", "assistant")[index % 2], "content": content}
        for index, content in enumerate(contents)
    ]
    return {"messages": turns, "images": ["a.png"]} | columns


def found(row: dict[str, Any]) -> str:
    return next(name for name, one in FORMATS.items() if one.recognises(row.keys()))


def read(row: dict[str, Any], frame: Frame | None = None) -> RowContent:
    return FORMATS[found(row)].read(row, frame)


def boxes(content: RowContent) -> list[tuple[str, tuple[float, ...], Frame]]:
    return [(one.label, one.box.corners, one.box.frame) for one in content.groundings]


def test_an_r1_row_holds_reasoning_options_and_an_answer() -> None:
    row = {
        "image": "a.png",
        "problem": "<image>What is it?\nA. cat\nB. dog",
        "solution": "<think>A tail [1,2,3,4].</think>\n<answer> B </answer>",
    }
    content = read(row, Frame.PIXEL)
    assert (content.question, content.options) == ("What is it?", ("cat", "dog"))
    assert content.answers == ("dog",)
    assert content.images == ("a.png",)
    assert content.rationale is not None
    assert content.rationale[0] == "A tail "
    assert boxes(content) == [("object", (1, 2, 3, 4), Frame.PIXEL)]


@pytest.mark.parametrize(
    "solution",
    [
        [1, 2, 3, 4],
        [[1, 2, 3, 4]],
        "[1, 2, 3, 4]",
        "<answer>[1, 2, 3, 4]</answer>",
        '<answer>```json\n[{"bbox_2d": [1, 2, 3, 4], "label": "object"}]\n```</answer>',
    ],
)
def test_a_solution_may_be_a_box(solution: Any) -> None:
    content = read({"image": "a.png", "problem": "Where?", "solution": solution}, Frame.PERMILLE)
    assert boxes(content) == [("object", (1, 2, 3, 4), Frame.PERMILLE)]
    assert content.answers == ()


@pytest.mark.parametrize(
    ("solution", "answer"), [(3, "3"), (2.5, "2.5"), (True, "yes"), (" x ", "x")]
)
def test_a_solution_may_be_plain(solution: Any, answer: str) -> None:
    row = {"image": "a.png", "problem": "How many?", "solution": solution}
    assert read(row).answers == (answer,)


def test_a_list_of_numbers_in_a_question_is_a_box_only_where_boxes_are_declared() -> None:
    row = {"image": "a.png", "problem": "What is the mean of [1, 2, 3, 4]?", "solution": "2.5"}
    assert read(row).answers == ("2.5",)
    with pytest.raises(UnusableRowError, match="holds a box"):
        read(row, Frame.PIXEL)
    with pytest.raises(UnusableRowError, match="holds a box"):
        read(row | {"problem": "What is in [0.1, 0.25, 1.0, .9]?"})


def test_a_table_may_have_a_column_for_each_part() -> None:
    row = {
        "id": 7,
        "image": {"bytes": b"...", "path": None},
        "question": "Which animal?",
        "choices": ["cat", "dog"],
        "correct_choice_idx": 1,
        "bbox": [[1.5, 2, 3, 4], [5, 6, 7, 8]],
        "labels": ["dog", "tail"],
        "rationale": "It barks.",
    }
    content = read(row, Frame.PIXEL)
    assert (content.id, content.options, content.answers) == ("7", ("cat", "dog"), ("dog",))
    assert content.rationale == ("It barks.",)
    assert [label for label, *_ in boxes(content)] == ["dog", "tail"]


def test_columns_can_be_named_by_hand() -> None:
    table = TableRows(columns={"question": "q", "answer": "a", "image": "i"})
    content = table.read({"q": "Why?", "a": "so", "i": "a.png", "question": "no"}, None)
    assert (content.question, content.answers) == ("Why?", ("so",))
    with pytest.raises(UserError, match=r"data.columns.nonsense is unknown.*question"):
        TableRows(columns={"nonsense": "q"})


def test_the_last_answer_of_a_conversation_is_learned() -> None:
    content = read(llava("<image>\nIs it red?", "Yes.", "What is it?", "A cat."))
    assert content.question == "User: Is it red?\nAssistant: Yes.\nUser: What is it?"
    assert (content.answers, content.id) == (("A cat.",), "1")


def test_a_conversation_shows_several_images() -> None:
    row = llava("<image>\n<image>\nWhat changed?", "The cup.", image=["a.png", "b.png"])
    assert read(row).images == ("a.png", "b.png")


def test_messages_hold_parts() -> None:
    row = messages([{"type": "image"}, {"type": "text", "text": "What?"}], "A cat.")
    system = {"role": "system", "content": "Be brief."}
    content = read(row | {"messages": [system, *row["messages"]]})
    assert (content.question, content.images) == ("What?", ("a.png",))
    assert content.left_out == ("system message",)
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    inside = messages([url, {"type": "text", "text": "What?"}], "A cat.", images=None)
    assert read(inside).images == ("data:image/png;base64,AA==",)


def test_qwen_answers_in_json_need_a_frame() -> None:
    answer = '```json\n[{"bbox_2d": [10, 20, 30, 40], "label": "cat"}]\n```'
    row = messages("<image>Where is the cat?", answer)
    assert boxes(read(row, Frame.MODEL)) == [("cat", (10, 20, 30, 40), Frame.MODEL)]
    with pytest.raises(ValueError, match="has no frame"):
        read(row)


@pytest.mark.parametrize(
    "answer",
    [
        "<ref-object><bbox>\n<ref-object><bbox>",
        '[{"bbox_2d": <bbox>, "label": "<ref-object>"},'
        ' {"label": "<ref-object>", "bbox_2d": <bbox>}]',
    ],
)
@pytest.mark.parametrize(
    ("kind", "frame"), [("real", Frame.PIXEL), ("norm1", Frame.UNIT), (None, Frame.PIXEL)]
)
def test_ms_swift_fills_marks_in_order(answer: str, kind: str | None, frame: Frame) -> None:
    objects = {"ref": ["pets", "cat", "dog"], "bbox": [[0, 0.1, 0.2, 0.3], [0, 0, 1, 1]]}
    row = messages("<image>Find <ref-object>", answer, objects=objects | {"bbox_type": kind})
    content = read(row)
    assert found(row) == "ms_swift"
    assert content.question == "Find pets"
    assert boxes(content) == [("cat", (0, 0.1, 0.2, 0.3), frame), ("dog", (0, 0, 1, 1), frame)]


def test_a_prompt_and_its_completion_are_a_conversation() -> None:
    prompt = [{"role": "user", "content": "<image>Is it red?"}]
    completion = [{"role": "assistant", "content": "<think>x</think><answer>yes</answer>"}]
    row = {"prompt": prompt, "completion": completion, "images": ["a.png"]}
    assert found(row) == "trl"
    assert read(row).answers == ("yes",)
    assert read({"prompt": "Is it red?", "completion": " yes", "image": "a.png"}).answers == (
        "yes",
    )


def test_a_prompt_may_stand_beside_a_solution() -> None:
    system = {"role": "system", "content": "Think first."}
    asked = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Is it red?"}]}
    row = {"prompt": [system, asked], "image": "a.png", "solution": "<answer>yes</answer>"}
    assert found(row) == "trl"
    assert (read(row).question, read(row).answers) == ("Is it red?", ("yes",))
    assert found(row | {"problem": "Is it red?"}) == "table"


def test_regions_of_visual_genome_are_asked_for_by_their_phrases() -> None:
    region = {"region_id": 3, "x": 1, "y": 2, "width": 10, "height": 20, "phrase": "a red cup"}
    content = read({"id": 7, "regions": [region, region | {"phrase": "the wall", "x": 0}]})
    assert content.question == "Where is each of these: a red cup; the wall?"
    assert content.images == ("7.jpg",)
    assert boxes(content) == [
        ("a red cup", (1, 2, 11, 22), Frame.PIXEL),
        ("the wall", (0, 2, 10, 22), Frame.PIXEL),
    ]
    assert content.told[1::2] == (". ", ".")


def test_relationships_of_visual_genome_are_sentences() -> None:
    man = {"name": "man", "x": 1, "y": 2, "w": 10, "h": 20}
    horse = {"names": ["horse"], "x": 1, "y": 12, "w": 30, "h": 20}
    content = read(
        {
            "image_id": 7,
            "image": "vg/7.jpg",
            "relationships": [{"subject": man, "predicate": "ON", "object": horse}],
        }
    )
    assert [p if isinstance(p, str) else p.label for p in content.told] == [
        *("man", " on ", "horse", "."),
    ]
    assert (content.images, content.id) == (("vg/7.jpg",), "7")


BROKEN = [
    ({"id": 7, "regions": []}, ValueError, "regions is empty"),
    ({"id": 7, "regions": [{"x": 1}]}, ValueError, r"regions\[0\] lacks phrase"),
    ({"id": 7, "regions": [{"phrase": "a", "x": 1}]}, ValueError, "must be numbers"),
    ({"id": 7, "relationships": [{"subject": {}}]}, ValueError, r"subject lacks name or names"),
    (llava("Hi", "Hello", image=None), UnusableRowError, "no image"),
    (llava("<image>Tell of [0.1,0.2,0.3,0.4]", "A cat"), UnusableRowError, "holds a box"),
    (llava("<image>What?"), ValueError, "does not end with an answer"),
    (llava("<image>What?", " "), ValueError, "does not end with an answer"),
    (llava("<image><image>What?", "A cat"), ValueError, "2 <image> marks for 1 images"),
    (llava("<image>", "A cat"), ValueError, "the question is empty"),
    (llava() | {"conversations": "What?"}, ValueError, "must be a list of turns"),
    (llava() | {"conversations": [{"from": "bot"}]}, ValueError, "unknown speaker 'bot'"),
    (messages([{"type": "video"}], "x"), ValueError, "expected a part of type text or image"),
    (messages("<bbox>?", "x", objects={"bbox": [[1, 2, 3, 4]]}), UnusableRowError, "holds a box"),
    (messages("?", "<bbox>", objects={"bbox": []}), ValueError, "1 <bbox> marks for 0 items"),
    (messages("?", "<bbox>", objects={"bbox": [[1, 2]]}), UnusableRowError, "a point"),
    (messages("?", "<bbox>", objects={"bbox": [[1, 2, 3]]}), ValueError, "four numbers"),
    (
        messages("?", "<bbox>", objects={"bbox": [[1, 2, 3, 4]], "bbox_type": "norm1000"}),
        ValueError,
        "real or norm1, got 'norm1000'",
    ),
    (
        messages("?", "<bbox>", objects={"bbox": [[1, 2, 3, 4]], "image_id": [1]}),
        UnusableRowError,
        "another image",
    ),
    ({"image": "a", "problem": "?", "solution": "<answer>x"}, ValueError, "must be closed"),
    ({"image": "a", "problem": "?", "solution": None}, ValueError, "no answer and no boxes"),
    ({"image": "a", "problem": {}, "solution": "x"}, ValueError, "question must be text"),
    ({"image": "a", "problem": "?\nA. b\nB. c", "solution": "E"}, ValueError, "not among"),
    ({"image": "a", "problem": "?", "bbox": [[1, 2, 3]]}, ValueError, "four numbers"),
    (
        {"image": "a", "problem": "?", "bbox": [1, 2, 3, 4], "labels": ["a", "b"]},
        ValueError,
        "2 labels",
    ),
    (
        {"image": "a", "question": "?", "choices": ["a"], "correct_choice_idx": 1},
        ValueError,
        "none of 1",
    ),
]


@pytest.mark.parametrize(("row", "kind", "message"), BROKEN)
def test_what_is_wrong_with_a_row_is_said(
    row: dict[str, Any], kind: type[ValueError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        read(row, Frame.PIXEL if "objects" not in row else None)


def test_a_frame_that_contradicts_the_file_is_refused() -> None:
    row = messages("?", "<bbox>", objects={"bbox": [[1, 2, 3, 4]]})
    with pytest.raises(ValueError, match=r"bbox_type=real means data.frame=pixel"):
        read(row, Frame.PERMILLE)
