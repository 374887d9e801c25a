"""The rules of the grid data document, and its size. Documents are parsed JSON, and are not modified here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from game.grid.rules import (
    Rules,
    boolean,
    color,
    json_object,
    number,
    of_type,
    one_of,
    reserved,
    string,
    symbol,
    text,
    whole,
)

EMPTY: Final = " "
GRID_TYPES: Final = ("square", "hex_row", "hex_column", "isometric", "none")
DIAGONAL_RULES: Final = ("5-5-5", "5-10-5", "none")
# Universal VTT knows closed or not, Foundry adds locked. A secret door is a door of any state with `secret`.
DOOR_STATES: Final = ("open", "closed", "locked")
AUDIENCES: Final = ("game_masters",)
"""The values of a layer's `visible_to`; a layer without it is for everybody."""
MAX_VIOLATIONS: Final = 20
MAX_MOVEMENT_COST: Final = 1_000_000


@dataclass(frozen=True)
class Limits:
    """The limits of a document. `max_string` and `max_depth` apply to any JSON, and are checked earlier."""

    max_size: int = 4096  # cells a side
    max_layers: int = 32
    max_legend: int = 4096
    max_entities: int = 10_000
    max_walls: int = 10_000
    max_doors: int = 10_000
    max_lights: int = 10_000
    max_string: int = 65_536  # characters
    max_depth: int = 32
    max_frame: int = 16 * 2**20  # bytes of JSON without the rows, for edits


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True)
class Violation:
    """A violation of a rule: its place (`grid_data.layers[0].rows[2]`), a stable snake_case code, and a
    sentence."""

    place: str
    code: str
    message: str


class GridError(ValueError):
    """A document is invalid; `violations` has at most MAX_VIOLATIONS."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations: tuple[Violation, ...] = tuple(violations)
        super().__init__("; ".join(f"{violation.place}: {violation.message}" for violation in self.violations))

    def __reduce__(self) -> tuple[type["GridError"], tuple[tuple[Violation, ...]]]:
        """Pickling, because it may be raised in another process."""
        return GridError, (self.violations,)


_id = text(1, 64)
_coordinate = number()
_not_negative = number(0)
SEGMENT: Final[Rules] = {
    "id": _id,
    "hidden": boolean,
    "x1": _coordinate,
    "y1": _coordinate,
    "x2": _coordinate,
    "y2": _coordinate,
    "blocks_movement": boolean,
    "blocks_sight": boolean,
    "properties": json_object,
}
ENDS: Final = ("x1", "y1", "x2", "y2")

DOCUMENT: Final[Rules] = {
    "grid_type": one_of(GRID_TYPES),
    "cell_distance": number(above=0),
    "distance_unit": text(0, 32),
    "diagonal_rule": one_of(DIAGONAL_RULES),
    "properties": json_object,
    # The server sends players under this key what they have seen of the map.
    "fog": reserved,
}
LEGEND: Final[Rules] = {
    "symbol": symbol,
    "name": string,
    "color": color,
    "blocks_movement": boolean,
    "blocks_sight": boolean,
    # Difficult terrain is 2 in the 5e SRD. Costs are limited and not negative, as the search of paths requires.
    "movement_cost": number(0, MAX_MOVEMENT_COST),
    "properties": json_object,
}
LAYER: Final[Rules] = {
    "name": text(1, 128),
    "visible": boolean,
    "visible_to": one_of(AUDIENCES),
    "opacity": number(0, 1),
    "rows": of_type(list, "a list of strings"),
    "properties": json_object,
}
ENTITY: Final[Rules] = {"id": _id, "hidden": boolean, "kind": string, "name": string, "properties": json_object}
WALL: Final = SEGMENT
DOOR: Final[Rules] = {**SEGMENT, "state": one_of(DOOR_STATES), "secret": boolean}
LIGHT: Final[Rules] = {
    "id": _id,
    "hidden": boolean,
    "x": _coordinate,
    "y": _coordinate,
    "range": _not_negative,
    "color": color,
    "intensity": _not_negative,
    "properties": json_object,
}
BACKGROUND: Final[Rules] = {
    "asset_id": _id,
    "x": _coordinate,
    "y": _coordinate,
    "width": _not_negative,
    "height": _not_negative,
    "properties": json_object,
}


def check(document: Any, limits: Limits = DEFAULT_LIMITS, place: str = "grid_data") -> None:
    """Check a document; unknown keys may have any value.

    Takes parsed JSON and the name of its place in the request. Raises GridError with every violation found, up to
    MAX_VIOLATIONS. If neither `width` and `height` nor a layer's rows determine a side, it is only bounded by
    `limits.max_size`, so that a game may place entities without a grid.
    """
    checker = _Checker()
    if checker.one(document, place, DOCUMENT):
        side = whole(0, limits.max_size)
        checker.fields(document, place, {"width": side, "height": side})
        width, height = (None if n is None else min(n, limits.max_size) for n in _extent(document))
        checker.each(document, place, "legend", limits.max_legend, LEGEND, ("symbol",), "symbol")
        checker.each(document, place, "layers", limits.max_layers, LAYER, ("name",), "name")
        checker.rows(document, place, width, height)
        entity = {
            **ENTITY,
            "x": whole(0, (limits.max_size if width is None else width) - 1, "out_of_bounds"),
            "y": whole(0, (limits.max_size if height is None else height) - 1, "out_of_bounds"),
        }
        checker.each(document, place, "entities", limits.max_entities, entity, ("id", "x", "y"), "id")
        checker.each(document, place, "walls", limits.max_walls, WALL, ENDS, "id")
        checker.each(document, place, "doors", limits.max_doors, DOOR, ENDS, "id")
        checker.each(document, place, "lights", limits.max_lights, LIGHT, ("x", "y"), "id")
        if "background" in document:
            checker.one(document["background"], f"{place}.background", BACKGROUND)
    if checker.violations:
        raise GridError(checker.violations)


def size(document: Mapping[str, Any]) -> tuple[int, int]:
    """The width and height of a valid document, in cells: as stated, else those of its first rows, else 0."""
    width, height = _extent(document)
    return width or 0, height or 0


def _extent(document: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """The width and height of a document that may be invalid, if they can be determined."""
    width, height = _cells(document.get("width")), _cells(document.get("height"))
    layers = document.get("layers")
    for layer in layers if isinstance(layers, list) else ():
        rows = layer.get("rows") if isinstance(layer, dict) else None
        if isinstance(rows, list):
            first = rows[0] if rows else ""
            if width is None and isinstance(first, str):
                width = len(first)
            return width, len(rows) if height is None else height
    return width, height


def _cells(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class _Checker:
    """Applies rules and collects violations; raises GridError as soon as there are MAX_VIOLATIONS."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    def add(self, place: str, code: str, message: str) -> None:
        self.violations.append(Violation(place, code, message))
        if len(self.violations) == MAX_VIOLATIONS:
            raise GridError(self.violations)

    def fields(self, value: Mapping[str, Any], place: str, rules: Rules) -> None:
        for key, item in value.items():
            if (rule := rules.get(key)) and (fault := rule.check(item)):
                self.add(f"{place}.{key}", *fault)

    def one(self, value: Any, place: str, rules: Rules, required: tuple[str, ...] = ()) -> bool:
        """Check the known keys of an object; returns whether it is an object."""
        if not isinstance(value, dict):
            self.add(place, "wrong_type", "must be an object")
            return False
        for key in required:
            if key not in value:
                self.add(f"{place}.{key}", "missing", "is required")
        self.fields(value, place, rules)
        return True

    def each(
        self,
        document: Mapping[str, Any],
        place: str,
        key: str,
        limit: int,
        rules: Rules,
        required: tuple[str, ...],
        unique: str,
    ) -> None:
        """Check the list `document[key]`, if it exists: at most `limit` objects with different values of
        `unique`."""
        items = document.get(key, [])
        if not isinstance(items, list):
            self.add(f"{place}.{key}", "wrong_type", "must be a list")
            return
        if len(items) > limit:
            self.add(f"{place}.{key}", "too_many", f"must have at most {limit} elements")
            return
        first: dict[str, int] = {}
        for index, item in enumerate(items):
            here = f"{place}.{key}[{index}]"
            if self.one(item, here, rules, required) and isinstance(name := item.get(unique), str):
                earlier = first.setdefault(name, index)
                if earlier != index:
                    message = f"is also the {unique} of {key}[{earlier}]"
                    self.add(f"{here}.{unique}", f"duplicate_{unique}", message)

    def rows(self, document: Mapping[str, Any], place: str, width: int | None, height: int | None) -> None:
        """Check the size and the symbols of every layer's rows."""
        layers, legend = document.get("layers"), document.get("legend", [])
        if not isinstance(layers, list):
            return
        # With an invalid legend, every cell would be a violation, and hide the important one.
        known: set[str] | None = None
        if isinstance(legend, list):
            symbols = (entry.get("symbol") for entry in legend if isinstance(entry, dict))
            known = {EMPTY}.union(symbol for symbol in symbols if isinstance(symbol, str))
        for index, layer in enumerate(layers):
            rows = layer.get("rows") if isinstance(layer, dict) else None
            if not isinstance(rows, list):
                continue
            here = f"{place}.layers[{index}].rows"
            if height is not None and len(rows) != height:
                code = "too_many_rows" if len(rows) > height else "too_few_rows"
                self.add(here, code, f"must have {height} rows, the map's height, and has {len(rows)}")
            for y, row in enumerate(rows):
                if not isinstance(row, str):
                    self.add(f"{here}[{y}]", "wrong_type", "must be a string")
                    continue
                if width is not None and len(row) != width:
                    code = "row_too_long" if len(row) > width else "row_too_short"
                    message = f"must have {width} cells, the map's width, and has {len(row)}"
                    self.add(f"{here}[{y}]", code, message)
                if known is not None and not known.issuperset(row):
                    x, symbol = next((x, symbol) for x, symbol in enumerate(row) if symbol not in known)
                    message = f"has {symbol!r} (U+{ord(symbol):04X}) in cell {x}, which is not in the legend"
                    self.add(f"{here}[{y}]", "unknown_symbol", message)
