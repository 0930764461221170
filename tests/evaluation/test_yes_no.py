"""POPE and MME on their published questions: what is known of simple predictors holds."""

import json
import shutil
from pathlib import Path
from typing import Any, Literal

import pytest
from replies import DATA, figures, images, needs_data, oracle, replies

from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.base import QuestionSet
from groundrl.evaluation.benchmarks.mme import COGNITION, MME, PERCEPTION, read_yes_as_mme
from groundrl.evaluation.benchmarks.yes_no import POPE, read_first_word, read_yes_as_pope
from groundrl.records import Sample

Variant = Literal["random", "popular", "adversarial"]


@pytest.mark.parametrize(
    ("text", "official", "strict", "mme"),
    [
        ("Yes", True, True, True),
        ("no", False, False, False),
        ("No, there is a dog.", False, False, False),
        ("There is not. Yes", False, None, None),
        ("A dog. No cat", True, None, None),
        ("", True, None, None),
        ("NO", True, False, False),  # POPE's own reading knows "No" and "no" only
        ("I know it", True, None, None),
        ("nothing", True, None, False),
        ("yesterday", True, None, True),
        ("**Yes**", True, True, None),
    ],
)
def test_texts_are_read_as_published(
    text: str, official: bool, strict: bool | None, mme: bool | None
) -> None:
    assert read_yes_as_pope(text) is official
    assert read_first_word(text) is strict
    assert read_yes_as_mme(text) is mme


@pytest.fixture(scope="module")
def pope(tmp_path_factory: pytest.TempPathFactory) -> dict[Variant, QuestionSet]:
    root = tmp_path_factory.mktemp("pope")
    names: set[str] = set()
    for file in (DATA / "pope").glob("*.json"):
        shutil.copy(file, root)
        names |= {json.loads(line)["image"] for line in file.read_text().splitlines()}
    images(root / "val2014", names)
    variants: tuple[Variant, ...] = ("random", "popular", "adversarial")
    return {v: POPE(variant=v, root=str(root)).questions() for v in variants}


def say_yes(sample: Sample) -> str:
    return "Yes"


def say_no(sample: Sample) -> str:
    return "<think>[1,1,3,3 dog]</think><answer>No.</answer>"


@pytest.mark.slow
@needs_data
def test_simple_predictors_score_on_pope_what_half_yes_gives_them(
    pope: dict[Variant, QuestionSet],
) -> None:
    for variant, questions in pope.items():
        benchmark = POPE(variant=variant)
        assert len(questions.samples) == 3000
        assert questions.missing == ()
        # Six questions about each image, half of them yes.
        asked = questions.samples[: 3000 if variant == "random" else 300]
        yes = figures(benchmark, asked, say_yes)
        assert (yes["acc"], yes["precision"], yes["recall"]) == (0.5, 0.5, 1.0)
        assert yes["f1"] == pytest.approx(2 / 3)
        assert yes["yes_ratio"] == 1.0
        no = figures(benchmark, asked[:300], say_no)
        assert (no["precision"], no["recall"], no["f1"]) == (0, 0, 0)
        assert (no["yes_ratio"], no["boxes"]) == (0, 1)
        right = figures(benchmark, asked[:300], oracle)
        assert right["acc"] == right["f1"] == right["strict_f1"] == 1
        assert right["unparsed"] == 0


@pytest.mark.slow
@needs_data
def test_silence_is_yes_officially_and_wrong_strictly(pope: dict[str, QuestionSet]) -> None:
    silent = figures(POPE(variant="random"), pope["random"].samples[:1000], lambda _: "")
    assert silent["acc"] == pytest.approx(0.5, abs=0.01)
    assert silent["strict_acc"] == silent["strict_f1"] == 0
    assert silent["unparsed"] == 1


@pytest.mark.slow
@needs_data
def test_pope_equals_a_plain_loop(pope: dict[str, QuestionSet]) -> None:
    samples = pope["popular"].samples[:500]
    words = ["Yes", "No", "Yes, it is.", "maybe", "not at all", ""]
    said = {s.id: words[int(s.id) * 7 % 6] for s in samples}
    got = figures(POPE(variant="popular"), samples, lambda s: said[s.id])
    tp = fp = tn = fn = 0
    for sample in samples:
        yes = said[sample.id] not in ("No", "not at all")
        true = sample.answers == ("yes",)
        tp, fp = tp + (yes and true), fp + (yes and not true)
        fn, tn = fn + (not yes and true), tn + (not yes and not true)
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    expected = {
        "acc": (tp + tn) / 500,
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall),
        "yes_ratio": (tp + fp) / 500,
    }
    assert {name: got[name] for name in expected} == pytest.approx(expected)
    for name in expected:
        assert got[f"{name}_low"] < got[name] < got[f"{name}_high"]


@needs_data
def test_questions_without_their_image_are_counted_and_named() -> None:
    questions = POPE(variant="random", root=str(DATA)).questions()
    assert len(questions.samples) == 12
    assert len(questions.missing) == 2988
    assert questions.missing[0] == "1: no image COCO_val2014_000000310196.jpg"


def test_missing_files_are_listed_with_their_publishers(tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        POPE(variant="random", root=str(tmp_path)).questions()
    assert "**/coco_pope_random.json: get it from https://github.com" in str(told.value)
    assert "**/val2014 or **/train2014 or **/val2017" in str(told.value)
    with pytest.raises(UserError, match=r"type data\.root=<folder>"):
        POPE(variant="random").questions()


@pytest.fixture(scope="module")
def mme(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sample, ...]:
    root = tmp_path_factory.mktemp("mme")
    for file in (DATA / "mme").glob("*.txt"):
        shutil.copy(file, root)
        lines = file.read_text().splitlines()
        images(root / file.stem, {line.split("\t")[0] for line in lines})
    return MME(root=str(root)).questions().samples


@pytest.mark.slow
@needs_data
def test_simple_predictors_score_on_mme_what_is_known_of_them(mme: tuple[Sample, ...]) -> None:
    assert len(mme) == 2374
    for constant in ("yes", "no"):
        same = figures(MME(), mme, lambda _, said=constant: said)
        # One question of each pair is right, and never both: 50 a task.
        assert (same["perception"], same["cognition"]) == pytest.approx((500, 200))
    right = figures(MME(), mme, oracle)
    assert (right["perception"], right["cognition"]) == pytest.approx((2000, 800))
    assert figures(MME(), mme[:200], lambda _: "cat")["acc"] == 0


@pytest.mark.slow
@needs_data
def test_mme_equals_a_plain_loop(mme: tuple[Sample, ...]) -> None:
    def say(sample: Sample) -> str:
        place = sum(map(ord, sample.id))
        return ("yes", "No", "It is", sample.answers[0])[place % 4]

    rights = {one.attempt.sample.id: one.scores["correct"] == 1 for one in replies(MME(), mme, say)}
    got = figures(MME(), mme, say)
    total = {"perception": 0.0, "cognition": 0.0}
    for group, tasks in (("perception", PERCEPTION), ("cognition", COGNITION)):
        for task in tasks:
            own = [name for name in rights if name.startswith(f"{task}/")]
            pairs = {name.rpartition("/")[0] for name in own}
            acc = sum(rights[name] for name in own) / len(own)
            both = sum(rights[f"{p}/0"] and rights[f"{p}/1"] for p in pairs) / len(pairs)
            assert got[f"{task}/acc"] == pytest.approx(acc)
            assert got[f"{task}/acc_plus"] == pytest.approx(both)
            assert got[f"{task}/score"] == pytest.approx(100 * (acc + both))
            total[group] += 100 * (acc + both)
    assert {name: got[name] for name in total} == pytest.approx(total)
    assert got["perception_low"] < got["perception"] < got["perception_high"]


def test_a_damaged_list_is_named_with_its_line(tmp_path: Path) -> None:
    for task in (*PERCEPTION, *COGNITION):
        images(tmp_path / task, ["1.jpg"])
        (tmp_path / f"{task}.txt").write_text("1.jpg\tIs it?\tYes\n1.jpg\tIs it not?\tPerhaps\n")
    with pytest.raises(UserError, match=r"existence.txt:2: expected image, question and Yes"):
        MME(root=str(tmp_path)).questions()


@pytest.mark.parametrize("source", ["aokvqa", "gqa"])
@pytest.mark.parametrize("array", [False, True])
@pytest.mark.parametrize("seem", ["", "seem_"])
def test_pope_asks_about_images_of_other_data_sets(
    tmp_path: Path, source: Any, array: bool, seem: str
) -> None:
    folder = tmp_path / ("gqa/images" if source == "gqa" else "val2014")
    images(folder, ["2350517.jpg"])
    rows = [{"question_id": 1, "image": "2350517.jpg", "text": "Is there a dog?", "label": "no"}]
    text = json.dumps(rows) if array else "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / f"{source}_pope_{seem}random.json").write_text(text)
    (tmp_path / "coco_pope_random.json").write_text("")
    (asked,) = POPE(source=source, variant="random", root=str(tmp_path)).questions().samples
    assert (asked.question, asked.answers) == ("Is there a dog?", ("no",))
    with pytest.raises(UserError, match=rf"seem_popular.json or .*{source}_pope_popular.json: get"):
        POPE(source=source, variant="popular", root=str(tmp_path)).questions()
