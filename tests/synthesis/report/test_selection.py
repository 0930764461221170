"""Which images a page shows."""

from dataclasses import replace
from pathlib import Path

import pytest
from synthesis_files import KEEP, checked, reject, shown

from groundrl.synthesis.report.selection import MAX_REASONS, OTHER_REASONS, ImageSelection


def test_rare_errors_stay_and_the_same_images_are_selected_in_any_order(tmp_path: Path) -> None:
    good = [shown(tmp_path, f"good{k}", checked("A cup.", KEEP)) for k in range(20)]
    bad = shown(tmp_path, "bad", checked("A dog.", reject("dog")))
    selections = []
    for images in ([*good, bad], [bad, *reversed(good)]):
        selection = ImageSelection(size=4)
        for image in images:
            selection.add(image)
        selections.append([image.annotated.image.id for image in selection.images])
    assert selections[0] == selections[1]
    assert selections[0][0] == "bad"
    assert len(selections[0]) == 4


@pytest.mark.slow
def test_reasons_are_counted_in_bounded_memory(tmp_path: Path) -> None:
    selection = ImageSelection()
    for k in range(MAX_REASONS + 5):
        verdict = reject("dog")
        verdict = replace(verdict, reason=f"reason {k}")
        selection.add(shown(tmp_path, f"{k}", checked("A dog.", verdict)))
    assert len(selection.reasons) == MAX_REASONS + 1
    assert selection.reasons["reject", "object", OTHER_REASONS] == 5
