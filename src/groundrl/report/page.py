"""HTML pages out of jinja2 templates: one file each, nothing fetched, light and dark."""

from importlib.resources import files

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from groundrl.report.pictures.overlay import BRIGHT, PREDICTED, TRUE

REPORT = "report.html"
MAX_CHARACTERS = 4000
"""Of one text; the rest is counted. A page stays small whatever a model writes."""


def load_templates(*packages: str) -> Environment:
    """The templates in ``templates/`` of each package, then those that all pages share.

    Values are escaped unless they are Markup; a name that a template lacks is an error.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in (*packages, "groundrl.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["shorten"] = shorten
    environment.globals |= {
        "read_static": read_static,
        "colors": {
            "true": TRUE,
            "true_line": BRIGHT[TRUE],
            "predicted": PREDICTED,
            "predicted_line": BRIGHT[PREDICTED],
        },
    }
    return environment


def read_static(package: str, name: str) -> Markup:
    """A CSS or JavaScript file in ``static/`` of a package, to be written into a page."""
    return Markup((files(package) / "static" / name).read_text(encoding="utf-8"))


def shorten(text: str) -> str:
    """At most ``MAX_CHARACTERS`` of it, then an ellipsis."""
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]} …"


TEMPLATES = load_templates()
"""Of the pages in this package."""
