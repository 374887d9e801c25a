"""Symbols and colours for a legend that is generated from the tiles of another program."""

import colorsys
import zlib
from collections.abc import Mapping
from typing import Any, Final

from game.grid.document import GridError, Limits, check
from game.grid.formats.imported import FormatError

FIRST_PRIVATE: Final = 0xE000
LAST_PRIVATE: Final = 0xF8FF

_BLOCKED: Final = {"blocks_movement": True, "blocks_sight": True}

USUAL: Final[Mapping[str, Mapping[str, Any]]] = {
    "#": {"name": "wall", "color": "#5b5348", **_BLOCKED},
    ".": {"name": "floor", "color": "#cfc6b0"},
    "~": {"name": "water", "color": "#4f7cac", "movement_cost": 2},
    "+": {"name": "door", "color": "#8a5a2b"},
    "/": {"name": "open door", "color": "#b98a54"},
    ",": {"name": "grass", "color": "#7fa650"},
    '"': {"name": "tall grass", "color": "#5f8a3a", "movement_cost": 2},
    "T": {"name": "tree", "color": "#2f5d34", **_BLOCKED},
    "^": {"name": "mountain", "color": "#8d8478", "movement_cost": 2},
    ":": {"name": "road", "color": "#b59f78"},
    "=": {"name": "bridge", "color": "#a9784a"},
    "<": {"name": "stairs up", "color": "#e0d9c6"},
    ">": {"name": "stairs down", "color": "#9c9484"},
    "%": {"name": "rubble", "color": "#9a8f7f", "movement_cost": 2},
    "&": {"name": "statue", "color": "#a3a3ad", "blocks_movement": True},
    "!": {"name": "lava", "color": "#d9502e", "movement_cost": 2},
    "_": {"name": "sand", "color": "#dcc88f"},
    "*": {"name": "snow", "color": "#eef2f5", "movement_cost": 2},
    "|": {"name": "wall", "color": "#5b5348", **_BLOCKED},
    "-": {"name": "wall", "color": "#5b5348", **_BLOCKED},
}
"""The meanings of characters in plain text maps, as in roguelike games. Difficult terrain costs 2 (5e SRD)."""

_BY_NAME: Final = {entry["name"]: symbol for symbol, entry in reversed(list(USUAL.items()))} | {"walls": "#"}


def usual_symbol(name: str) -> str | None:
    """The character that plain text maps use for this name, such as `#` for a wall."""
    return _BY_NAME.get(name.casefold())


def is_symbol(text: str) -> bool:
    """Whether a legend may have this text as a symbol."""
    return is_entry({"symbol": text})


def usual_rules(name: str) -> dict[str, Any]:
    """How cells of this name usually affect movement and sight; empty for an unknown name."""
    entry = USUAL.get(usual_symbol(name) or "", {})
    return {key: value for key, value in entry.items() if key not in ("name", "color")}


def is_entry(entry: Mapping[str, Any]) -> bool:
    """Whether a legend may have an entry with these values."""
    try:
        check({"legend": [{"symbol": "x", **entry}]})
    except GridError:
        return False
    return True


def stable_color(key: str) -> str:
    """A muted colour, always the same for the same key, for something without a picture."""
    seed = zlib.crc32(key.encode())
    hue, lightness, saturation = (
        seed % 360 / 360,
        0.45 + seed // 360 % 20 / 100,
        0.25 + seed // 7200 % 25 / 100,
    )
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue, lightness, saturation))
    return f"#{red:02x}{green:02x}{blue:02x}"


class Legend:
    """Builds a legend: gives each entry a unique symbol."""

    def __init__(self, limits: Limits) -> None:
        self.entries: list[dict[str, Any]] = []
        self._limits = limits
        self._used: set[str] = set()
        self._private = FIRST_PRIVATE

    def add(self, entry: Mapping[str, Any], preferred: str | None, place: str) -> str:
        """Add an entry; returns its symbol: the preferred one if it is valid and free, or else a private one.

        Raises FormatError at `place` if the legend is full.
        """
        if len(self.entries) == self._limits.max_legend:
            raise FormatError(place, f"has more than {self._limits.max_legend} different tiles")
        symbol = preferred if preferred and preferred not in self._used and is_symbol(preferred) else None
        while symbol is None or symbol in self._used:
            if self._private > LAST_PRIVATE:
                raise FormatError(place, "has more different tiles than there are symbols in the private use area")
            symbol, self._private = chr(self._private), self._private + 1
        self._used.add(symbol)
        self.entries.append({"symbol": symbol, **entry})
        return symbol
