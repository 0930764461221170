"""Labels for a reward model without anybody who labels."""

import numpy as np
import pytest

from groundrl.data.world_captions import WorldCaptions
from groundrl.errors import UserError
from groundrl.feedback.annotators import WorldAnnotator
from groundrl.feedback.captions import OUTPUTS, CaptionData
from groundrl.feedback.world_captions import labelled_world_captions
from groundrl.world.captions.errors import EXACT, CaptionErrors

ERRING = CaptionErrors(hallucination=0.3, attribute=0.3, location=0.3)


def labelled(errors: CaptionErrors, flip_rate: float = 0.0, **options: int) -> CaptionData:
    return labelled_world_captions(
        captions=WorldCaptions(seed=7, size=20, errors=errors),
        annotator=WorldAnnotator(flip_rate=flip_rate),
        **options,
    )


def test_every_sentence_of_plain_captions_has_a_label_and_no_image_is_in_both_parts() -> None:
    data = labelled(ERRING, heldout_size=5)
    assert (len(data.train), len(data.heldout)) == (15, 5)
    keys = [{one.sample.image.key for one in part.captions} for part in (data.train, data.heldout)]
    assert not keys[0] & keys[1]
    for caption in data.train.captions:
        assert "[" not in caption.text
        assert caption.sample.question == "Describe the image."
    assert 0 < data.train.targets("sentence")[:, OUTPUTS.index("wrong")].mean() < 1


def test_exact_captions_have_errors_only_where_the_annotator_errs() -> None:
    assert labelled(EXACT).train.targets("sentence").sum() == 0
    flipped = labelled(EXACT, flip_rate=1.0).train.targets("sentence")
    assert np.all(flipped[:, OUTPUTS.index("wrong")] == 1)


def test_too_few_captions_are_told() -> None:
    with pytest.raises(UserError, match="cannot be held out"):
        labelled(EXACT, heldout_size=20)
