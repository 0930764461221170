"""One image through detection, cropping, captions and verification."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, TypeVar

from groundrl.chat.base import ImageAttachment
from groundrl.detectors.base import DependsOnName, Detector, UnlabelledImageError
from groundrl.detectors.records import InputImage, Region
from groundrl.errors import UserError
from groundrl.images import UnreadableImageError
from groundrl.synthesis.annotations import (
    AnnotatedInput,
    Caption,
    CheckedCaption,
    Crop,
    Decision,
    Signer,
    Verdict,
)
from groundrl.synthesis.codec import (
    box_row,
    caption_row,
    crop_row,
    digest_of,
    read_caption,
    read_region,
    read_verdict,
    region_row,
    verdict_row,
)
from groundrl.synthesis.consistency import find_conflict
from groundrl.synthesis.crops import Cropping, crops_of, split_doubts
from groundrl.synthesis.retries import is_readable, unreadable_verdict
from groundrl.synthesis.roles import Teacher, Verifier, View

T = TypeVar("T")


class Key(NamedTuple):
    """What a result is kept under, beside the image's digest."""

    stage: str
    name: str
    """Of the detector, teacher or verifier."""
    inputs: str
    """Digest of everything else that was put in."""


Results = dict[Key, Any]
"""Plain JSON values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationResult:
    """What became of an image."""

    image: InputImage
    annotated: AnnotatedInput | None
    """None: it is left out, or unfinished, since somebody could not be reached."""
    results: Results
    """What was found out just now; to be kept even where the image is unfinished."""
    left_out: str | None = None
    """Why it cannot be used."""
    error: UserError | None = None
    """Somebody refuses, or may be asked no more: the run cannot go on."""


class ModelUnreachable(Exception):
    """The teacher or the verifier gave no answer."""


@dataclass(slots=True)
class _Memory:
    """Asks only for what is not known yet."""

    known: Mapping[Key, Any]
    fresh: Results = field(default_factory=dict)

    def ask(
        self,
        stage: str,
        name: str,
        inputs: Sequence[Any],
        answer: Callable[[list[int]], Sequence[T | None]],
        to_row: Callable[[T], Any],
        from_row: Callable[[Any], T],
        lasts: Callable[[T], bool] = lambda _: True,
    ) -> list[T]:
        """The result for each of ``inputs``; ``answer`` is given the indices of the unknown ones.
        What does not last is not kept for later runs. Raises Unreachable when one of them stays
        unknown."""
        keys = [Key(stage, name, digest_of(value)) for value in inputs]
        unknown = [i for i, key in enumerate(keys) if key not in self.known]
        found = answer(unknown) if unknown else ()
        fresh = {
            keys[i]: value for i, value in zip(unknown, found, strict=True) if value is not None
        }
        self.fresh |= {key: to_row(value) for key, value in fresh.items() if lasts(value)}
        if len(fresh) < len({keys[i] for i in unknown}):
            answer([])  # one whose budget ended in the middle says so
            raise ModelUnreachable(stage)
        return [fresh[key] if key in fresh else from_row(self.known[key]) for key in keys]


MAX_REPAIRS: Final = 3
NO_CAPTION: Final = unreadable_verdict("the teacher's answer is no caption")


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotator:
    """Everything that an image meets; a pure function of it, given what is known already."""

    detector: Detector
    teacher: Teacher
    verifier: Verifier | None
    """None: every caption is kept as it is."""
    cropping: Cropping = field(default_factory=Cropping)
    repairs: int = MAX_REPAIRS
    """How often a caption may be repaired; the last repair is verified, too."""

    def __post_init__(self) -> None:
        if self.repairs < 0:
            raise UserError(f"repairs={self.repairs}: type repairs=3, or any from 0 on")

    def __call__(self, image: InputImage, known: Mapping[Key, Any]) -> AnnotationResult:
        """Does not raise: see ``AnnotationResult``."""
        memory = _Memory(known)
        annotated = left_out = error = None
        try:
            annotated = self._annotate(image, memory)
        except ModelUnreachable:
            pass
        except UnlabelledImageError as reason:
            left_out = str(reason)
        except UnreadableImageError as reason:
            left_out = f"it cannot be read any more: {reason}"
        except UserError as refusal:
            error = refusal
        return AnnotationResult(
            image=image,
            annotated=annotated,
            results=memory.fresh,
            left_out=left_out,
            error=error,
        )

    def _annotate(self, image: InputImage, memory: _Memory) -> AnnotatedInput:
        seen = self._detect(image, memory)
        regions, doubts = split_doubts(seen, self.cropping.duplicate_iou)
        crops = crops_of(regions, image.source, self.cropping)
        shown: dict[Any, ImageAttachment] = {}
        views = [
            View(image=image, crop=crop, regions=regions, doubts=doubts, shown=shown)
            for crop in (None, *crops)
        ]
        captions = self._describe(views, memory)
        branches = self._check(views[1:], captions[1:], memory)
        whole = self._whole(views[0], captions[0], branches, memory)
        return AnnotatedInput(
            image=image,
            regions=regions,
            doubts=doubts,
            whole=whole,
            branches=tuple(branches),
        )

    def _detect(self, image: InputImage, memory: _Memory) -> tuple[Region, ...]:
        # Moved or there twice, an image shows the same; boxes of a data set belong to a name.
        detector = self.detector
        (found,) = memory.ask(
            "detect",
            detector.name,
            [detector.known_as(image) if isinstance(detector, DependsOnName) else None],
            lambda _: detector([image]),
            lambda regions: [region_row(region) for region in regions],
            lambda rows: tuple(read_region(row) for row in rows),
        )
        return found

    def _describe(self, views: Sequence[View], memory: _Memory) -> list[Caption]:
        return memory.ask(
            "caption",
            self.teacher.name,
            [view_inputs(view) for view in views],
            lambda unknown: self.teacher([views[i] for i in unknown]),
            caption_row,
            read_caption,
            is_readable,
        )

    def _check(
        self, views: Sequence[View], captions: Sequence[Caption], memory: _Memory
    ) -> list[CheckedCaption]:
        """All captions of one level."""
        first = [
            CheckedCaption(crop=view.crop, caption=caption, verdicts=(), text=caption.text.strip())
            if is_readable(caption)
            else CheckedCaption(crop=view.crop, caption=caption, verdicts=(NO_CAPTION,), text=None)
            for view, caption in zip(views, captions, strict=True)
        ]
        return self._verified(views, first, memory)

    def _verified(
        self, views: Sequence[View], captions: Sequence[CheckedCaption], memory: _Memory
    ) -> list[CheckedCaption]:
        """With verdicts on what is left of each, round by round: those that were repaired come
        again."""
        checked = [*captions]
        verifier = self.verifier
        waiting = [i for i, one in enumerate(checked) if one.text and verifier is not None]
        while waiting:
            cases = [(views[i], checked[i].text or "") for i in waiting]
            for i, verdict in zip(waiting, self._verify(cases, memory), strict=True):
                checked[i] = self._after(checked[i], verdict)
            waiting = [
                i
                for i in waiting
                if checked[i].text and checked[i].verdicts[-1].decision is Decision.REPAIR
            ]
        return checked

    def _after(self, checked: CheckedCaption, verdict: Verdict) -> CheckedCaption:
        """A repair that nobody may verify any more is none."""
        verdicts = (*checked.verdicts, verdict)
        mine = [one for one in verdicts if one.by is not Signer.CONSISTENCY]
        repairs = sum(one.decision is Decision.REPAIR for one in mine)
        match verdict.decision:
            case Decision.KEEP:
                text = checked.text
            case Decision.REPAIR:
                text = verdict.repaired if repairs <= self.repairs else None
            case Decision.REJECT:
                text = None
        return replace(checked, verdicts=verdicts, text=text)

    def _verify(self, cases: list[tuple[View, str]], memory: _Memory) -> list[Verdict]:
        verifier = self.verifier
        assert verifier is not None
        return memory.ask(
            "verify",
            verifier.name,
            [[view_inputs(view), text, *doubt_inputs(view)] for view, text in cases],
            lambda unknown: verifier([cases[i] for i in unknown]),
            verdict_row,
            read_verdict,
            is_readable,
        )

    def _whole(
        self, view: View, caption: Caption, branches: Sequence[CheckedCaption], memory: _Memory
    ) -> CheckedCaption:
        """Level 1, checked after level 2: regions whose crops were rejected speak for nothing. What
        level 2 repairs is verified again."""
        rejected = [b.crop.region for b in branches if b.crop is not None and b.text is None]
        left = tuple(region for region in view.regions if region not in rejected)
        views = [replace(view, regions=left)]
        (checked,) = self._check(views, [caption], memory)
        if self.verifier is None:
            return checked
        while checked.text is not None:
            verdict = find_conflict(checked.text, (*view.regions, *view.doubts), branches)
            if verdict is None:
                break
            checked = self._after(checked, verdict)
            (checked,) = self._verified(views, [checked], memory)
        return checked


def view_inputs(view: View) -> Any:
    """What captions depend on, the image's pixels aside."""
    crop: Crop | None = view.crop
    image = view.image.source
    return [
        [image.width, image.height],
        crop_row(crop),
        _labels_and_boxes(view.regions),
    ]


def doubt_inputs(view: View) -> Any:
    """What verdicts depend on besides; nothing where there is no doubt."""
    return [_labels_and_boxes(view.doubts)] if view.doubts else []


def _labels_and_boxes(regions: Sequence[Region]) -> Any:
    return [[region.label, *box_row(region.box)] for region in regions]
