"""The words of the embedded world: what an object can be, which colour, material and size."""

from typing import Final

from groundrl.world.graph import Subject

CATEGORIES: Final[dict[Subject, tuple[str, ...]]] = {
    Subject.TABLETOP: ("ball", "book", "bottle", "bowl", "box", "candle", "cup", "lamp"),
    Subject.STREET: ("bin", "bus", "car", "cone", "house", "hydrant", "sign", "tree"),
}
"""The classes of each subject, in alphabetical order; no class belongs to both."""
CLASSES: Final = tuple(name for names in CATEGORIES.values() for name in names)
"""Those of all subjects."""

COLORS: Final[dict[str, tuple[int, int, int]]] = {
    "red": (208, 32, 32),
    "orange": (244, 132, 16),
    "yellow": (240, 214, 30),
    "green": (40, 158, 52),
    "cyan": (44, 202, 210),
    "blue": (36, 72, 208),
    "purple": (146, 48, 186),
    "gray": (134, 134, 134),
}
"""Name and sRGB value (0..255) of each colour under full light."""

MATERIALS: Final[tuple[str, ...]] = ("rubber", "metal", "wood")
SIZES: Final[tuple[str, ...]] = ("small", "large")
