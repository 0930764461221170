"""What check_config says of a config."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from groundrl.config.check import check_config
from groundrl.errors import UserError


def problems(config: dict[str, Any]) -> list[str]:
    """The numbered lines of the error, without their numbers."""
    with pytest.raises(UserError) as raised:
        check_config(OmegaConf.create(config))
    return [line.split(". ", 1)[1] for line in str(raised.value).splitlines()[1:]]
