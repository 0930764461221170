"""Loaders of published formats, on the real files where they are here and on small ones else."""

import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from replies import DATA, figures, images, needs_data, oracle, written

from groundrl.errors import UserError
from groundrl.evaluation.benchmarks.aokvqa import AOKVQA, AOKVQADirect
from groundrl.evaluation.benchmarks.choice import DrivingVQA
from groundrl.evaluation.benchmarks.refcoco import RefCOCO
from groundrl.evaluation.benchmarks.rel3d import Rel3D
from groundrl.evaluation.benchmarks.statements import VSR, SpatialSense
from groundrl.published.drivingvqa import MAX_AREA
from groundrl.published.spatialsense import split_of

# ------------------------------------------------------------------------------------------- VSR


@pytest.mark.slow
@needs_data
def test_real_vsr_captions_about_real_images_are_asked() -> None:
    found = VSR(variant="zeroshot", root=str(DATA)).questions()
    assert len(found.samples) + len(found.missing) == 1222
    assert all(sample.image.load().size for sample in found.samples[:2])
    right = figures(VSR(), found.samples, oracle)
    assert (right["acc"], right["unparsed"]) == (1, 0)
    wrong = figures(VSR(), found.samples, lambda s: "False" if s.answers == ("true",) else "True")
    assert (wrong["acc"], wrong["unparsed"]) == (0, 0)
    assert figures(VSR(), found.samples, lambda _: "perhaps")["unparsed"] == 1


@pytest.mark.slow
@needs_data
def test_all_images_at_hand_serve_23_captions() -> None:
    asked = {
        (sample.image.key, sample.question)
        for variant in ("zeroshot", "random")
        for split in ("train", "dev", "test")
        for sample in VSR(variant=variant, split=split, root=str(DATA)).questions().samples
    }
    assert len(asked) == 23


# ---------------------------------------------------------------------------------- SpatialSense


def spatialsense(folder: Path, count: int = 40) -> SpatialSense:
    images(folder / "images/flickr", [f"{n}.jpg" for n in range(count)], (30, 20))
    rows = [
        {
            "url": f"http://farm.flickr.com/{number}.jpg",
            "nsid": "x",
            "width": 30,
            "height": 20,
            "split": "train",
            "annotations": [
                {
                    "predicate": "above",
                    "subject": {"name": "cat", "bbox": [2, 8, 10, 29]},
                    "object": {"name": "mat", "bbox": [8, 12, 10, 29]},
                    "label": truth,
                }
                for truth in (True, False)
            ],
        }
        for number in range(count)
    ]
    written(folder / "annotations.json", rows)
    return SpatialSense(root=str(folder))


def test_spatialsense_is_split_by_image_and_its_boxes_start_with_y(tmp_path: Path) -> None:
    benchmark = spatialsense(tmp_path)
    samples = benchmark.questions().samples
    urls = [f"http://farm.flickr.com/{number}.jpg" for number in range(40)]
    assert len(samples) == 2 * sum(split_of(url) == "test" for url in urls)
    assert split_of("https://a/1.jpg") == split_of("http://a/1.jpg")
    shares = Counter(split_of(f"http://a/{n}.jpg") for n in range(4000))
    assert (shares["test"] / 4000, shares["train"] / 4000) == pytest.approx((0.2, 0.7), abs=0.03)
    assert samples[0].groundings[0].box.corners == (10, 2, 29, 8)
    assert samples[0].question == "True or false: cat above mat."
    assert figures(benchmark, samples, lambda _: "true")["acc"] == 0.5


# ----------------------------------------------------------------------------------------- Rel3D


def rel3d(folder: Path, **options: Any) -> Rel3D:
    data = folder / "data/20200223"
    data.mkdir(parents=True)
    Image.new("RGB", (128, 72), "red").save(data / "a.png")
    Image.linear_gradient("L").resize((128, 72)).convert("F").save(data / "a.tiff")
    rows = [
        {
            "rgb": "./data/20200223/a.png",
            "depth": "./data/20200223/a.tiff",
            "width": 128,
            "height": 72,
            "subject": {"name": "cup", "bbox": {"left": 0, "top": 0, "width": 64, "height": 36}},
            "object": {"name": "bed", "bbox": {"left": 64, "top": 36, "width": 64, "height": 36}},
            "predicate": "on",
            "label": truth,
        }
        for truth in (True, False)
    ]
    written(folder / "data/c_0.9_c_0.1.json", {"test": rows, "train": [], "valid": []})
    return Rel3D(root=str(folder), **options)


def test_rel3d_puts_four_quarters_together(tmp_path: Path) -> None:
    benchmark = rel3d(tmp_path)
    first, second = benchmark.questions().samples
    page = first.image.load()
    assert page.size == (448, 448)
    assert page.getpixel((100, 100)) == (255, 0, 0)
    top, bottom = page.getpixel((300, 2)), page.getpixel((300, 221))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert (max(top), min(bottom)) == (1, 254)  # resizing blends the outermost rows
    assert page.crop((0, 224, 224, 448)).convert("L").getbbox() == (0, 0, 112, 112)
    assert page.crop((224, 224, 448, 448)).convert("L").getbbox() == (112, 112, 224, 224)
    assert first.groundings[0].box.corners == (0, 0, 112, 112)
    assert (first.answers, second.answers) == (("true",), ("false",))
    plain = rel3d(tmp_path / "plain", view="rgb").questions().samples[0]
    assert plain.groundings[0].box.corners == (0, 0, 64, 36)
    assert plain.question == "True or false: cup on bed."


# --------------------------------------------------------------------------------------- RefCOCO


def refcoco(folder: Path, content: Any = None) -> RefCOCO:
    images(folder / "train2014", ["COCO_train2014_000000000007.jpg"], (100, 80))
    rows = [
        {
            "ref_id": number,
            "ann_id": 5,
            "category_id": 1,
            "image_id": 7,
            "file_name": "COCO_train2014_000000000007_16.jpg",
            "split": split,
            "sentences": [
                {"raw": "Cat!", "sent": "the cat", "sent_id": 2 * number + k} for k in (0, 1)
            ],
        }
        for number, split in enumerate(("val", "train", "val"))
    ]
    target = folder / "refcoco"
    written(target / "instances.json", {"annotations": [{"id": 5, "bbox": [10, 20, 30, 40]}]})
    (target / "refs(unc).p").write_bytes(pickle.dumps(rows if content is None else content))
    return RefCOCO(dataset="refcoco", split="val", root=str(folder))


def box(x1: int, y1: int, x2: int, y2: int) -> str:
    return f"[{x1},{y1},{x2},{y2} it]"


def test_every_expression_of_a_split_is_a_question_with_one_box(tmp_path: Path) -> None:
    benchmark = refcoco(tmp_path)
    samples = benchmark.questions().samples
    assert [sample.id for sample in samples] == ["0", "1", "4", "5"]
    assert samples[0].groundings[0].box.corners == (10, 20, 40, 60)

    def say(text: str) -> tuple[float, float]:
        found = figures(benchmark, samples, lambda _: text)
        return found["acc_50"], found["iou"]

    assert say(box(10, 20, 40, 60)) == (1, 1)
    assert say(box(10, 20, 40, 40)) == (1, 0.5)  # a hit from 0.5 on
    assert say(box(10, 20, 40, 39)) == (0, pytest.approx(0.475))
    assert say("there") == (0, 0)


@pytest.mark.parametrize("count", [9, 38, 113])
def test_a_constant_answer_of_many_boxes_does_not_profit(tmp_path: Path, count: int) -> None:
    benchmark = refcoco(tmp_path)
    samples = benchmark.questions().samples
    spam = " ".join([box(10, 20, 40, 60)] * count)
    for text in (spam, f"<think>{spam}</think><answer>it</answer>"):
        found = figures(benchmark, samples, lambda _, t=text: t)
        assert (found["acc_50"], found["iou"], found["several_boxes"]) == (0, 0, 1)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not the published file: it holds a"):
        refcoco(tmp_path, content=[Path("x")]).questions()


# ------------------------------------------------------------------------------- multiple choice


def aokvqa(folder: Path) -> str:
    images(folder / "val2017", ["000000000009.jpg"])
    row = {
        "split": "val",
        "image_id": 9,
        "question_id": "q",
        "question": "What is it?",
        "choices": ["cat", "dog", "cow", "hen"],
        "correct_choice_idx": 1,
        "direct_answers": ["dog"] * 2 + ["puppy"] * 3 + ["pet"] * 5,
        "difficult_direct_answer": False,
        "rationales": ["", "", ""],
    }
    hard = row | {"question_id": "hard", "difficult_direct_answer": True}
    gone = row | {"question_id": "gone", "image_id": 10}
    written(folder / "aokvqa/aokvqa_v1p0_val.json", [row, hard, gone])
    return str(folder)


def test_aokvqa_has_one_right_choice(tmp_path: Path) -> None:
    benchmark = AOKVQA(root=aokvqa(tmp_path))
    found = benchmark.questions()
    assert [sample.id for sample in found.samples] == ["q", "hard"]
    assert found.missing == ("gone: no image 000000000010.jpg",)
    for text, right in (("B", 1), ("dog", 1), ("A", 0), ("A, B", 0), ("", 0)):
        assert figures(benchmark, found.samples, lambda _, t=text: t)["acc"] == right


def test_direct_answers_count_the_answers_of_people(tmp_path: Path) -> None:
    benchmark = AOKVQADirect(root=aokvqa(tmp_path))
    (sample,) = benchmark.questions().samples
    assert sample.options == ()
    for text, score in (("Dog!", 2 / 3), ("puppy", 1), ("pet", 1), ("cow", 0), ("", 0)):
        assert figures(benchmark, [sample], lambda _, t=text: t)["score"] == pytest.approx(score)


def test_drivingvqa_asks_single_questions_about_images_that_are_not_too_large(
    tmp_path: Path,
) -> None:
    images(tmp_path / "images", ["a.jpg"])
    images(tmp_path / "images", ["b.jpg"], (MAX_AREA // 1000 + 1, 1000))
    row = {
        "img_filename": "a.jpg",
        "has_multiple_questions": False,
        "questions": ["May I?"],
        "possible_answers": {"A": "yes", "B": "yes", "C": "never"},
        "true_answers": ["C", "B"],
        "relevant_entities": [{"car": [1, 2, 3, 4]}],
    }
    others = [row | {"img_filename": "b.jpg"}, row | {"has_multiple_questions": True}]
    written(tmp_path / "test.json", [row, *others])
    benchmark = DrivingVQA(root=str(tmp_path))
    (sample,) = benchmark.questions().samples
    assert sample.options == ("yes [A]", "yes [B]", "never")
    assert sample.groundings[0].box.corners == (1, 2, 4, 6)
    for text, right in (("B, C", 1), ("C, B", 1), ("C", 0), ("A, B, C", 0)):
        assert figures(benchmark, [sample], lambda _, t=text: t)["exam_score"] == right
