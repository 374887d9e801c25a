"""The results of imports and exports: maps, warnings, errors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

Document = dict[str, Any]
"""Grid data: parsed JSON, see `game.grid.document`."""

MAX_CELLS: Final = 4096 * 4096
"""The maximum number of cells of one import, over all its maps and layers: one full layer of the largest map."""
MAX_WARNINGS_OF_A_KIND: Final = 20


class FormatError(ValueError):
    """A file that cannot be read. `place` is where: `layers[2].data`, `line 3, column 7`, or "" for the file."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.place, self.message = place, message

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling: it may be raised in another process."""
        return type(self), (self.place, self.message)


class TooLarge(FormatError):
    """A file that exceeds the limits of a map or an import; it is refused as a whole."""


WARNINGS: Final[Mapping[str, str]] = {
    "AUTO_RULES_LOST": "The rules of LDtk's auto-layers are not kept; the tiles that they painted are.",
    "BACKGROUND_LOST": "The background picture was not written.",
    "BACKGROUND_SCALED": "The background has a different size than in the other program.",
    "CELLS_OUTSIDE": "Cells outside the map are not shown. If there are too many, they are not kept.",
    "CHARACTERS_REPLACED": "Characters that the format cannot represent were replaced.",
    "COLORS_MADE_UP": "Colours of tiles are arbitrary, because their picture is too large to compute averages.",
    "DATA_LOST": "Data was left out because it is too long for this format.",
    "DEFINITIONS_LOST": "The definitions of the LDtk project are too large and were not kept with the maps.",
    "DOORS_CHANGED": "The format has no locked or secret doors.",
    "DOORS_LOST": "The format has no doors.",
    "ENTITIES_LOST": "The format has no entities.",
    "GRID_LOST": "The format supports square cells only.",
    "IMAGE_LAYER_NOT_SHOWN": (
        "A map shows one background picture. Other and hidden image layers are kept, but not shown."
    ),
    "LAYERS_FLATTENED": "Layers were drawn over each other.",
    "LAYERS_LOST": "The format has no cells; they are only in the picture.",
    "LAYER_LOST": "A layer was left out.",
    "LAYER_OFFSET": "A layer is shifted by a fraction of a cell; its cells were moved to the nearest cells.",
    "LEVEL_MISSING": "The separate file of a level was not uploaded; the level was left out.",
    "LEVEL_UNREADABLE": "A level cannot be read; it was left out.",
    "LIGHTS_LOST": "The format has no lights.",
    "LIGHT_UNREADABLE": "A light cannot be read; it was left out.",
    "LINES_FILLED_UP": "Short lines of a text file were padded with empty cells.",
    "MARK_LOST": "A combining mark in a text file cannot be a cell; it was left out.",
    "NOT_KEPT": "A value that maps do not support could not be kept.",
    "OBJECTS_NOT_SHOWN": "The map has no cells; its objects are kept, but not shown.",
    "OBJECT_OUTSIDE": "An object lies outside the map; it was moved to the edge.",
    "OBJECT_UNREADABLE": "An object cannot be read; it was left out.",
    "OBLIQUE_AS_SQUARE": "An oblique map was imported as a square grid.",
    "OPACITY_LIMITED": "In the other program, a layer cannot be more opaque than its group.",
    "PICTURE_LOST": "A picture was not written.",
    "PICTURE_MISSING": "A picture was not uploaded.",
    "PICTURE_REFUSED": "A picture is broken, too large or in an unsupported format.",
    "PORTAL_UNREADABLE": "A portal cannot be read; it was left out.",
    "PROPERTIES_LOST": "The format has no properties.",
    "ROW_ADDED": (
        "An empty row or column was added, because Worldkeep shifts the odd rows or columns of hexagonal grids."
    ),
    "RULES_GUESSED": "What a tile blocks was guessed from its name.",
    "SIZE_ROUNDED": "The size was rounded up to whole cells.",
    "STAGGER_EVEN": (
        "The file shifts the even rows or columns, Worldkeep the odd ones; the map is too large to "
        "add a row or column."
    ),
    "SYMBOLS_REPLACED": "Symbols from the private use area were replaced by other characters.",
    "SYMBOLS_UNREADABLE": "There are more symbols from the private use area than characters to replace them.",
    "TABS_EXPANDED": "Tabs were replaced by spaces.",
    "TEMPLATE_NOT_READ": "The template of an object was not uploaded, or cannot be read.",
    "TILESET_MISSING": "A tileset was not uploaded: its tiles have no names or pictures.",
    "TILESET_UNREADABLE": "A tileset, or a part of it, could not be read.",
    "TILES_OUTSIDE": "Tiles outside the level were cut off.",
    "TILES_UNREADABLE": "Tiles of a layer cannot be read; they were left out.",
    "TILE_FLIPS_LOST": "There are too many flipped tiles; the flips were left out.",
    "UNKNOWN_TILE": "No tileset contains the tile; it is kept as a cell.",
    "WALLS_LOST": "The format cannot represent walls, or not those that do not block sight.",
    "WALL_UNREADABLE": "A wall cannot be read; it was left out.",
    "WANG_SET_LOST": "A part of a Wang set is not valid; it was left out.",
}
"""The codes of warnings, and their meanings."""


class FormatWarning(NamedTuple):
    """Something that was lost, guessed or changed: one of the codes of WARNINGS, its position, and a sentence."""

    code: str
    place: str
    message: str


class ImportedMap(NamedTuple):
    """One map of a file.

    `pictures` contains PNG, JPEG or WebP files by name. An `asset_id` in `grid_data` is one of these names, until
    `link_pictures` replaces it by the id of the stored picture.
    """

    name: str
    description: str
    grid_data: Document
    pictures: dict[str, bytes]


class Imported(NamedTuple):
    """The content of a file: the format's name, its maps (one or more) and the warnings."""

    format: str
    maps: list[ImportedMap]
    warnings: list[FormatWarning]


class Exported(NamedTuple):
    """A written file: its name, its media type, its bytes, and warnings about what the format cannot express."""

    filename: str
    media_type: str
    content: bytes
    warnings: list[FormatWarning]


@dataclass
class Notes:
    """Collects warnings: the first MAX_WARNINGS_OF_A_KIND of each code, and the number of the others."""

    warnings: list[FormatWarning] = field(default_factory=list)
    _seen: dict[str, int] = field(default_factory=dict)

    def add(self, code: str, place: str, message: str) -> None:
        """Add a warning with one of the codes of WARNINGS."""
        seen = self._seen[code] = self._seen.get(code, 0) + 1
        if seen <= MAX_WARNINGS_OF_A_KIND:
            self.warnings.append(FormatWarning(code, place, message))

    @contextmanager
    def skipping(self, code: str) -> Iterator[None]:
        """Turn a FormatError in the block into a warning: this part of the file is left out."""
        try:
            yield
        except TooLarge:
            raise
        except FormatError as error:
            self.add(code, error.place, f"{WARNINGS[code]} Reason: {error}.")

    def all(self) -> list[FormatWarning]:
        """The warnings, with a summary for each code that has too many."""
        more = [
            FormatWarning(code, "", f"There are {seen - MAX_WARNINGS_OF_A_KIND} more of these.")
            for code, seen in self._seen.items()
            if seen > MAX_WARNINGS_OF_A_KIND
        ]
        return self.warnings + more


def unique(name: str, used: set[str], max_length: int = 128) -> str:
    """The name, shortened or numbered if it is too long or in `used`; the result is added to `used`."""
    result, number = name[:max_length], 2
    while result in used:
        result, number = f"{name[: max_length - 8]} {number}", number + 1
    used.add(result)
    return result


def link_pictures(value: Any, ids: dict[str, str]) -> Any:
    """A copy of grid data (or a part of it) with the ids of stored pictures as `asset_id`.

    `ids` are the ids by the names in `ImportedMap.pictures`. Any other `asset_id` is left unchanged.
    """
    if isinstance(value, dict):
        return {
            key: ids.get(item, item) if key == "asset_id" and isinstance(item, str) else link_pictures(item, ids)
            for key, item in value.items()
        }
    if isinstance(value, list) and not (value and isinstance(value[0], str)):
        return [link_pictures(item, ids) for item in value]
    return value
