"""CHAIR on COCO: words for classes, and shares of what captions invent."""

import random
from pathlib import Path

import pytest
from replies import figures, images, written

from groundrl.evaluation.benchmarks.chair import CHAIR, COCO_CLASSES, COCO_WORDS


def test_words_for_objects_are_found_and_phrases_are_not_taken_apart() -> None:
    assert len(COCO_CLASSES) == 80
    text = "A woman with two puppies eats a hot dog on a sofa; teddy bears watch the TVs."
    expected = ["person", "dog", "hot dog", "couch", "teddy bear", "tv"]
    assert COCO_WORDS.mentions(text) == expected


def test_chair_counts_what_neither_boxes_nor_captions_know(tmp_path: Path) -> None:
    images(tmp_path / "val2014", ["COCO_val2014_000000000001.jpg"])
    written(
        tmp_path / "annotations/instances_val2014.json",
        {
            "images": [{"id": 1, "file_name": "COCO_val2014_000000000001.jpg"}],
            "annotations": [{"image_id": 1, "category_id": 18}],
            "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
        },
    )
    captions = [{"image_id": 1, "caption": "A man and his dog."}]
    written(tmp_path / "annotations/captions_val2014.json", {"annotations": captions})
    benchmark = CHAIR(root=str(tmp_path))
    samples = benchmark.questions().samples
    assert samples[0].answers == ("dog", "person")
    found = figures(benchmark, samples, lambda _: "A dog, a dog and a cat near a bus.")
    assert (found["chair_i"], found["chair_s"], found["recall"]) == (0.5, 1, 0.5)
    thought = "<think>[1,1,3,3 dog] lies.</think><answer>A man and a dog.</answer>"
    found = figures(benchmark, samples, lambda _: thought)
    assert (found["chair_i"], found["recall"]) == (0, 1)


def test_chair_equals_a_plain_loop(tmp_path: Path) -> None:
    nouns, rng = ("dog", "cat", "bus", "person", "cup"), random.Random(0)
    files = [f"COCO_val2014_{index:012}.jpg" for index in range(12)]
    images(tmp_path / "val2014", files)
    there = {index: rng.sample(range(5), rng.randint(1, 4)) for index in range(12)}
    written(
        tmp_path / "annotations/instances_val2014.json",
        {
            "images": [{"id": i, "file_name": name} for i, name in enumerate(files)],
            "annotations": [
                {"image_id": index, "category_id": one} for index in there for one in there[index]
            ],
            "categories": [{"id": i, "name": noun} for i, noun in enumerate(nouns)],
        },
    )
    written(tmp_path / "annotations/captions_val2014.json", {"annotations": []})
    said = {index: [rng.randrange(5) for _ in range(rng.randint(0, 6))] for index in range(12)}
    benchmark = CHAIR(root=str(tmp_path))
    found = figures(
        benchmark,
        benchmark.questions().samples,
        lambda sample: " ".join(f"A {nouns[one]}." for one in said[int(sample.id)]) or "Nothing.",
    )
    invented = {index: [one for one in said[index] if one not in there[index]] for index in said}
    mentions = sum(map(len, said.values()))
    named = sum(len({*said[index]} & {*there[index]}) for index in said)
    assert found["chair_i"] == pytest.approx(sum(map(len, invented.values())) / mentions)
    assert found["chair_s"] == pytest.approx(sum(map(bool, invented.values())) / 12)
    assert found["recall"] == pytest.approx(named / sum(map(len, there.values())))
