"""What every entrance asks of a sample before weights load: training, evaluation, sample files."""

from collections import Counter
from collections.abc import Iterable, Iterator

from groundrl.data.problems import Problems
from groundrl.images import shape_problem
from groundrl.records import Grounding, Sample


def option_problems(sample: Sample) -> Iterator[str]:
    """Options that stand there twice: an answer could not choose between them."""
    counts = Counter(option.strip() for option in sample.options)
    yield from (f"option {text!r} stands there twice" for text, n in counts.items() if n > 1)


def box_problems(sample: Sample) -> Iterator[str]:
    """Boxes without area: no box overlaps them."""
    rationale = (part for part in sample.rationale or () if isinstance(part, Grounding))
    for one in dict.fromkeys((*sample.groundings, *rationale)):
        if one.box.area <= 0:
            yield f"box {list(one.box.corners)} of {one.label!r} has no area"


def image_problems(sample: Sample) -> Iterator[str]:
    """Images of a shape that processors refuse. Images that are known by name only have none."""
    for image in sample.images:
        why = shape_problem(image.width, image.height)
        if why:
            yield f"image {image.key}: {why}"


def check_samples(name: str, samples: Iterable[Sample]) -> None:
    """Raises UserError that lists what is wrong with each sample."""
    problems = Problems(name)
    for sample in samples:
        for find in (option_problems, box_problems, image_problems):
            for what in find(sample):
                problems.add(f"sample {sample.id!r} of {sample.provenance.dataset}", what)
    problems.raise_if_any()
