"""What reading and writing a file of another program gives: maps, warnings, errors."""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

Document = dict[str, Any]
"""Grid data: parsed JSON, see `game.grid.document`."""

MAX_CELLS: Final = 4096 * 4096
"""Cells that one import may hold, over all its maps and layers: one full layer of the largest map."""
MAX_WARNINGS_OF_A_KIND: Final = 20


class FormatError(ValueError):
    """A file that cannot be read. `place` is where: `layers[2].data`, `line 3, column 7`, "" for the file."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.place, self.message = place, message


class FormatWarning(NamedTuple):
    """Something that was lost, guessed or changed: a stable UPPER_SNAKE code, where, and a sentence."""

    code: str
    place: str
    message: str


class ImportedMap(NamedTuple):
    """One map of a file.

    `pictures` holds PNG, JPEG or WebP files by name. Wherever `grid_data` means one of them, the key
    `asset_id` holds its name, until `link_pictures` puts the id of the stored picture there.
    """

    name: str
    description: str
    grid_data: Document
    pictures: dict[str, bytes]


class Imported(NamedTuple):
    """What a file holds: the format's name, its maps (one or more) and the warnings."""

    format: str
    maps: list[ImportedMap]
    warnings: list[FormatWarning]


class Exported(NamedTuple):
    """A written file: its name, its media type, its bytes, and warnings about what the format cannot say."""

    filename: str
    media_type: str
    content: bytes
    warnings: list[FormatWarning]


@dataclass
class Notes:
    """Collects warnings; of each code only the first few are told one by one, the rest are counted."""

    warnings: list[FormatWarning] = field(default_factory=list)
    _seen: dict[str, int] = field(default_factory=dict)

    def add(self, code: str, place: str, message: str) -> None:
        """Note a warning."""
        seen = self._seen[code] = self._seen.get(code, 0) + 1
        if seen <= MAX_WARNINGS_OF_A_KIND:
            self.warnings.append(FormatWarning(code, place, message))

    def all(self) -> list[FormatWarning]:
        """The warnings, with one more for each code that came too often to list."""
        more = [
            FormatWarning(code, "", f"There are {seen - MAX_WARNINGS_OF_A_KIND} more of these.")
            for code, seen in self._seen.items()
            if seen > MAX_WARNINGS_OF_A_KIND
        ]
        return self.warnings + more


def unique(name: str, used: set[str], longest: int = 128) -> str:
    """The name, shortened and numbered where it is too long or used already; from then on it is used, too."""
    result, number = name[:longest], 2
    while result in used:
        result, number = f"{name[: longest - 8]} {number}", number + 1
    used.add(result)
    return result


def link_pictures(value: Any, ids: dict[str, str]) -> Any:
    """A copy of grid data (or a part of it) whose `asset_id`s name the stored pictures.

    Takes the ids of the stored pictures by the names that `ImportedMap.pictures` has. An `asset_id` that is
    not among the names stays as it is.
    """
    if isinstance(value, dict):
        return {
            key: ids.get(item, item) if key == "asset_id" and isinstance(item, str) else link_pictures(item, ids)
            for key, item in value.items()
        }
    if isinstance(value, list) and not (value and isinstance(value[0], str)):
        return [link_pictures(item, ids) for item in value]
    return value
