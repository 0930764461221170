"""Problems of a YOLO data set's data.yaml."""

from pathlib import Path

import pytest

from groundrl.data.detection.yolo import YoloLayout
from groundrl.errors import UserError


def test_everything_wrong_with_the_config_is_listed(yolo_root: Path) -> None:
    (yolo_root / "data.yaml").write_text("train: 3\nnames: [cat, no, ' ']\n")
    with pytest.raises(UserError) as error:
        YoloLayout().read(yolo_root, "train")
    message = str(error.value)
    assert "data.yaml: names[1]: expected text, got False; names[2]: a class name" in message
    assert "splits.train: expected a list, got 3" in message
    assert "needs quotes" in message
