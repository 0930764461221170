"""Rows of Visual Genome: an image with its regions, or with relationships of its objects."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from groundrl.boxes import Frame
from groundrl.data.formats.base import RowContent, as_floats, make_box
from groundrl.data.formats.conversations import image_and_id
from groundrl.data.formats.table import listed, text_of
from groundrl.data.formats.written_boxes import groundings_in
from groundrl.questions.sentences import weave
from groundrl.records import Grounding, Segments

LISTS: Final = ("regions", "relationships")


@dataclass(frozen=True, slots=True)
class VisualGenomeRows:
    """``regions`` (phrase, x, y, width, height) or ``relationships`` (subject, predicate, object)
    of an image, boxes in pixels (arXiv 1602.07332).

    Every region is asked for by its phrase, every object of a relationship by its name; the text
    to be learned as a caption says each in a sentence. Rows without ``image`` are about
    ``<image_id>.jpg``.
    """

    form: ClassVar[str] = "regions or relationships of an image (Visual Genome)"

    def recognises(self, columns: Collection[str]) -> bool:
        """One of the two lists."""
        return bool(set(LISTS) & set(columns))

    def roles(self, columns: Collection[str]) -> Mapping[str, str]:
        """Questions and boxes come from one list."""
        name = next(name for name in LISTS if name in columns)
        image = image_and_id(columns).get("image", _id_column(columns))
        return {"question": name, "boxes": name, "image": image}

    def read(self, row: Mapping[str, Any], frame: Frame | None) -> RowContent:
        """See ``RowFormat``; the file says the frame of its boxes."""
        roles = self.roles(row.keys())
        name = roles["boxes"]
        items = listed(row[name])
        if not items:
            raise ValueError(f"{name} is empty")
        sentence = _region if name == "regions" else _relationship
        told = weave(*_joined(sentence(item, f"{name}[{k}]") for k, item in enumerate(items)))
        found = groundings_in(told)
        phrases = "; ".join(dict.fromkeys(one.label for one in found))
        id = row.get(_id_column(row.keys()))
        shown = row.get(roles["image"])
        return RowContent(
            question=f"Where is each of these: {phrases}?",
            images=(f"{shown}.jpg",) if isinstance(shown, int) else listed(shown),
            groundings=found,
            told=told,
            id=None if id is None else text_of(id, "id"),
        )


def _id_column(columns: Collection[str]) -> str:
    return "image_id" if "image_id" in columns else "id"


def _joined(sentences: Iterator[tuple[str | Grounding, ...]]) -> Iterator[str | Grounding]:
    for index, sentence in enumerate(sentences):
        yield "" if index == 0 else " "
        yield from sentence
        yield "."


def _region(item: object, where: str) -> Segments:
    return (_grounding(item, ("phrase",), ("width", "height"), where),)


def _relationship(item: object, where: str) -> Segments:
    if not isinstance(item, Mapping):
        raise ValueError(f"{where} must be an object, got {item!r:.60}")
    subject, thing = (
        _grounding(item.get(part), ("name", "names"), ("w", "h"), f"{where}.{part}")
        for part in ("subject", "object")
    )
    predicate = text_of(item.get("predicate"), "predicate").strip().lower()
    return subject, f" {predicate} ", thing


def _grounding(
    item: object, names: tuple[str, ...], size: tuple[str, str], where: str
) -> Grounding:
    """The item with its name and its box. Raises ValueError."""
    if not isinstance(item, Mapping):
        raise ValueError(f"{where} must be an object, got {item!r:.60}")
    label = next((listed(item[name])[0] for name in names if listed(item.get(name))), None)
    if not isinstance(label, str) or not label.strip():
        raise ValueError(f"{where} lacks {' or '.join(names)}")
    keys = ("x", "y", *size)
    values = [v for v in map(item.get, keys) if isinstance(v, int | float)]
    if len(values) < len(keys):
        raise ValueError(f"{where}: {', '.join(keys)} must be numbers")
    x, y, width, height = as_floats(values)
    return Grounding(label=label.strip(), box=make_box((x, y, x + width, y + height), Frame.PIXEL))
