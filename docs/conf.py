"""How the pages in this folder become a web site: ``make docs``."""

import importlib.metadata
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "groundrl"
author = "the groundrl authors"
release = importlib.metadata.version("groundrl")

extensions = [
    "myst_parser",
    "sphinx.ext.apidoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "config_reference",
]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

apidoc_modules = [
    {
        "path": "../src/groundrl",
        "destination": "api",
        "separate_modules": True,
        "module_first": True,
        "max_depth": 2,
    }
]
autodoc_member_order = "bysource"
autodoc_default_options = {"show-inheritance": True}
autodoc_typehints = "signature"
autodoc_mock_imports = ["vllm", "ray"]
# jaxtyping writes shapes as strings, which are no names to be linked.
nitpicky = False
# An annotation such as "object" may match fields of that name.
suppress_warnings = ["autodoc.mocked_object", "ref.python"]

html_theme = "furo"
html_title = f"groundrl {release}"
exclude_patterns = ["_build", "api/modules.rst"]
