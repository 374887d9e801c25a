"""The uploaded files of an import: looked up by name among the uploads only, never on disk or the network."""

import re
from collections.abc import Mapping
from typing import Final

from game.grid.formats.imported import MAX_CELLS, Notes, TooLarge
from game.grid.formats.pictures import MAX_DECODED, Picture, probe

MAX_NAME: Final = 64
"""The maximum length of a picture's name, as that of an asset's id."""
MAX_PIXELS: Final = 4 * MAX_DECODED
"""The maximum number of pixels that one import decodes for the colours of tiles, over all pictures."""


class Uploads:
    """The uploaded files by name, the warnings so far, and the remaining budget of cells and pixels."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.notes = Notes()
        self._files = files
        self._by_name = {_base_name(name).casefold(): name for name in files}
        self._cells = MAX_CELLS
        self._pixels = MAX_PIXELS

    def find(self, source: str) -> tuple[str, bytes] | None:
        """The uploaded file with the file name of this path; folders are ignored."""
        name = self._by_name.get(_base_name(source).casefold())
        return (name, self._files[name]) if name is not None else None

    def count_cells(self, width: int, height: int, place: str) -> int:
        """Count width x height cells before they are read. Raises TooLarge if there are too many."""
        self._cells -= width * height
        if self._cells < 0:
            raise TooLarge(place, f"the file has more than {MAX_CELLS} cells in all")
        return width * height

    def count_pixels(self, picture: Picture) -> bool:
        """Count a picture's pixels before it is decoded; returns whether the import may decode it."""
        pixels = picture.width * picture.height
        if pixels > min(MAX_DECODED, self._pixels):
            return False
        self._pixels -= pixels
        return True


class Pictures:
    """The pictures of one map by name; a name is a placeholder for the stored picture's id."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def add(self, data: bytes, preferred: str, place: str) -> str:
        """Add a picture; returns its name. Raises FormatError at `place` if it is not a picture, or too large."""
        kind = probe(data, place).kind
        for name, known in self.files.items():
            if known == data:
                return name
        stem = re.sub(r"\.(png|jpe?g|webp)$", "", _base_name(preferred), flags=re.IGNORECASE) or "picture"
        name, number = f"{stem[: MAX_NAME - 10]}.{kind}", 2
        while name in self.files:
            name, number = f"{stem[: MAX_NAME - 10]}-{number}.{kind}", number + 1
        self.files[name] = data
        return name


def _base_name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]
