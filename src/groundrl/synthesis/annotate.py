"""One image through detection, cropping, captioning and verification."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, TypeVar, cast

from groundrl.chat.base import ImageAttachment
from groundrl.detectors.base import DependsOnPath, Detector, UnlabelledImageError
from groundrl.detectors.records import InputImage, Region
from groundrl.errors import UserError
from groundrl.images import UnreadableImageError
from groundrl.synthesis.annotations import (
    Caption,
    CaptionedImage,
    Decision,
    Verdict,
    VerdictSource,
    VerifiedCaption,
)
from groundrl.synthesis.codec import Result, Stage, digest_json, encode_box, encode_crop
from groundrl.synthesis.consistency import find_conflict
from groundrl.synthesis.crops import Cropping, make_crops, split_doubts
from groundrl.synthesis.retries import is_parsed, reject_unparsed
from groundrl.synthesis.roles import ImageView, Teacher, Verifier

R = TypeVar("R", tuple[Region, ...], Caption, Verdict)

MAX_REPAIRS: Final = 3
UNPARSED_CAPTION: Final = reject_unparsed("the teacher's answer is no caption")


class ResultKey(NamedTuple):
    """Key of a cached result, together with the digest of the image."""

    stage: Stage
    name: str
    """Name of the detector, teacher or verifier."""
    inputs: str
    """Digest of all other inputs."""


Results = dict[ResultKey, Result]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationResult:
    """The outcome of annotating one image."""

    image: InputImage
    annotated: CaptionedImage | None
    """None: the image is skipped, or unfinished because a model was unreachable."""
    results: Results
    """New results; they are cached even where the image is unfinished."""
    skip_reason: str | None = None
    """Why the image cannot be used."""
    error: UserError | None = None
    """A model refuses, or its budget is spent: the run cannot continue."""


class ModelUnreachable(Exception):
    """The teacher or the verifier gave no answer."""


@dataclass(slots=True)
class _ImageResults:
    """Cached and new results of one image."""

    cached: Mapping[ResultKey, Result]
    new: Results = field(default_factory=dict)

    def get_or_compute(
        self,
        stage: Stage,
        name: str,
        inputs: Sequence[Any],
        compute: Callable[[list[int]], Sequence[R | None]],
        is_cacheable: Callable[[R], bool] = lambda _: True,
    ) -> list[R]:
        """The result for each of ``inputs``.

        ``compute`` is called with the indices of the inputs without a cached result. Raises
        ModelUnreachable when one of them stays without a result.
        """
        keys = [ResultKey(stage, name, digest_json(value)) for value in inputs]
        missing = [i for i, key in enumerate(keys) if key not in self.cached]
        answers = compute(missing) if missing else ()
        computed = {
            keys[i]: answer
            for i, answer in zip(missing, answers, strict=True)
            if answer is not None
        }
        self.new |= {key: result for key, result in computed.items() if is_cacheable(result)}
        if len(computed) < len({keys[i] for i in missing}):
            compute([])  # raises BudgetSpent where the budget ended during the call above
            raise ModelUnreachable(stage)
        return [computed[key] if key in computed else cast(R, self.cached[key]) for key in keys]


CallModel = Callable[[Callable[[Any], Any], Sequence[Any]], Any]
"""Calls a detector, teacher or verifier with a sequence of inputs."""


def call_directly(model: Callable[[Any], Any], inputs: Sequence[Any]) -> Any:
    """What the model returns for these inputs."""
    return model(inputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotator:
    """Annotates images; the outcome depends on the image and the cached results alone."""

    detector: Detector
    teacher: Teacher
    verifier: Verifier | None
    """None: captions are kept without verification."""
    cropping: Cropping = field(default_factory=Cropping)
    repairs: int = MAX_REPAIRS
    """How often a caption may be repaired; the last repair is verified, too."""
    call_model: CallModel = call_directly

    def __post_init__(self) -> None:
        if self.repairs < 0:
            raise UserError(f"repairs={self.repairs}: type repairs=3, or any from 0 on")

    def __call__(self, image: InputImage, cached: Mapping[ResultKey, Result]) -> AnnotationResult:
        """Annotate one image; problems are returned in the result, not raised."""
        results = _ImageResults(cached)
        annotated = skip_reason = error = None
        try:
            annotated = self._annotate(image, results)
        except ModelUnreachable:
            pass
        except UnlabelledImageError as reason:
            skip_reason = str(reason)
        except UnreadableImageError as reason:
            skip_reason = f"it cannot be read any more: {reason}"
        except UserError as refusal:
            error = refusal
        return AnnotationResult(
            image=image,
            annotated=annotated,
            results=results.new,
            skip_reason=skip_reason,
            error=error,
        )

    def _annotate(self, image: InputImage, results: _ImageResults) -> CaptionedImage:
        detected = self._detect(image, results)
        regions, doubts = split_doubts(detected, self.cropping.duplicate_iou)
        crops = make_crops(regions, image.source, self.cropping)
        attachments: dict[Any, ImageAttachment] = {}
        image_view, *crop_views = (
            ImageView(
                image=image, crop=crop, regions=regions, doubts=doubts, attachments=attachments
            )
            for crop in (None, *crops)
        )
        caption, *crop_captions = self._generate_captions([image_view, *crop_views], results)
        verified = self._verify_captions(crop_views, crop_captions, results)
        return CaptionedImage(
            image=image,
            regions=regions,
            doubts=doubts,
            image_caption=self._verify_image_caption(image_view, caption, verified, results),
            crop_captions=tuple(verified),
        )

    def _detect(self, image: InputImage, results: _ImageResults) -> tuple[Region, ...]:
        # Equal pixels have equal regions, except for boxes that a data set gives by file name.
        detector = self.detector
        (regions,) = results.get_or_compute(
            Stage.DETECT,
            detector.name,
            [detector.image_key(image) if isinstance(detector, DependsOnPath) else None],
            lambda _: self.call_model(detector, [image]),
        )
        return regions

    def _generate_captions(
        self, views: Sequence[ImageView], results: _ImageResults
    ) -> list[Caption]:
        return results.get_or_compute(
            Stage.CAPTION,
            self.teacher.name,
            [list_caption_inputs(view) for view in views],
            lambda missing: self.call_model(self.teacher, [views[i] for i in missing]),
            is_parsed,
        )

    def _verify_captions(
        self, views: Sequence[ImageView], captions: Sequence[Caption], results: _ImageResults
    ) -> list[VerifiedCaption]:
        """Verify the captions of one level."""
        unverified = [
            VerifiedCaption(
                crop=view.crop,
                caption=caption,
                verdicts=() if is_parsed(caption) else (UNPARSED_CAPTION,),
                text=caption.text.strip() if is_parsed(caption) else None,
            )
            for view, caption in zip(views, captions, strict=True)
        ]
        return self._verify_until_kept(views, unverified, results)

    def _verify_until_kept(
        self,
        views: Sequence[ImageView],
        captions: Sequence[VerifiedCaption],
        results: _ImageResults,
    ) -> list[VerifiedCaption]:
        """Verify the current texts; repaired texts are verified again in the next round."""
        verified = [*captions]
        pending = [i for i, one in enumerate(verified) if one.text and self.verifier is not None]
        while pending:
            cases = [(views[i], verified[i].text or "") for i in pending]
            for i, verdict in zip(pending, self._get_verdicts(cases, results), strict=True):
                verified[i] = self._apply_verdict(verified[i], verdict)
            pending = [
                i
                for i in pending
                if verified[i].text and verified[i].verdicts[-1].decision is Decision.REPAIR
            ]
        return verified

    def _apply_verdict(self, caption: VerifiedCaption, verdict: Verdict) -> VerifiedCaption:
        """The caption after one more verdict; more than ``repairs`` repairs reject it."""
        verdicts = (*caption.verdicts, verdict)
        repairs = sum(
            one.decision is Decision.REPAIR
            for one in verdicts
            if one.by is not VerdictSource.CONSISTENCY
        )
        match verdict.decision:
            case Decision.KEEP:
                text = caption.text
            case Decision.REPAIR:
                text = verdict.repaired if repairs <= self.repairs else None
            case Decision.REJECT:
                text = None
        return replace(caption, verdicts=verdicts, text=text)

    def _get_verdicts(
        self, cases: list[tuple[ImageView, str]], results: _ImageResults
    ) -> list[Verdict]:
        verifier = self.verifier
        assert verifier is not None
        return results.get_or_compute(
            Stage.VERIFY,
            verifier.name,
            [[list_caption_inputs(view), text, *list_doubt_inputs(view)] for view, text in cases],
            lambda missing: self.call_model(verifier, [cases[i] for i in missing]),
            is_parsed,
        )

    def _verify_image_caption(
        self,
        view: ImageView,
        caption: Caption,
        crop_captions: Sequence[VerifiedCaption],
        results: _ImageResults,
    ) -> VerifiedCaption:
        """Verify level 1 after level 2.

        Regions whose crop captions were rejected do not count as evidence. A text that level 2
        contradicts is repaired and verified again.
        """
        rejected = [c.crop.region for c in crop_captions if c.crop is not None and c.text is None]
        evidence = tuple(region for region in view.regions if region not in rejected)
        views = [replace(view, regions=evidence)]
        (verified,) = self._verify_captions(views, [caption], results)
        if self.verifier is None:
            return verified
        while verified.text is not None:
            verdict = find_conflict(verified.text, (*view.regions, *view.doubts), crop_captions)
            if verdict is None:
                break
            verified = self._apply_verdict(verified, verdict)
            (verified,) = self._verify_until_kept(views, [verified], results)
        return verified


def list_caption_inputs(view: ImageView) -> Any:
    """What the caption of a view depends on, besides the pixels of the image."""
    image = view.image.source
    return [[image.width, image.height], encode_crop(view.crop), _list_boxes(view.regions)]


def list_doubt_inputs(view: ImageView) -> Any:
    """What verdicts depend on in addition; empty without doubts, so that older keys stay valid."""
    return [_list_boxes(view.doubts)] if view.doubts else []


def _list_boxes(regions: Sequence[Region]) -> Any:
    return [[region.label, *encode_box(region.box)] for region in regions]
