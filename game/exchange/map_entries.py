"""Reads a map's JSON of any size from a bundle; the rows are extracted from the text while it is read.

The rest of the text is small, and is parsed and validated like a request of a client. The rows, which may be half
a gigabyte, are cut into chunks 64 rows at a time.
"""

import re
from collections.abc import Callable, Iterator
from typing import IO, Any, Final, NamedTuple

import orjson

from game.exchange.bundle import BundleError
from game.grid.chunks import CHUNK, ROWS_MARK
from game.grid.document import DEFAULT_LIMITS, EMPTY, GridError, check, size

Take = Callable[[int, int, int, list[str]], object]
"""A callback for chunks that are not empty: layer key, chunk x, chunk y, rows."""

_PART_BYTES: Final = 256 * 1024
_MAX_TOKEN: Final = 2**20
"""The maximum size of a JSON string, in bytes: a character may take six."""
_MAX_OUTLINE: Final = 64 * 2**20
_STRUCTURE: Final = re.compile(rb'["{}\[\]:,]')
_QUOTE, _BACKSLASH = ord('"'), ord("\\")
_ROWS: Final = [b'"grid_data"', b'"layers"', b"", b'"rows"']
"""The path of rows: the keys of the objects around them; empty for a list."""
_KNOWN_ROWS: Final = 256
"""The number of recent rows that are not scanned again, because rows are often equal."""


class Rows:
    """Cuts the rows of one layer into chunks while they are read; counts them, and checks their width."""

    def __init__(self, layer: int, take: Take, place: str) -> None:
        self.count = self.width = 0
        self.symbols: dict[str, int] = {}
        """The first row in which each symbol occurs."""
        self._layer, self._take, self._place = layer, take, place
        self._band: list[str] = []
        self._known: set[str] = set()

    def add(self, row: Any) -> None:
        """Add a row.

        Raises:
            BundleError: it is not a string or has another width than the others, or there are too many.
        """
        place = f"{self._place}[{self.count}]"
        if not isinstance(row, str):
            raise BundleError(place, "must be a string")
        if self.count == 0:
            self.width = len(row)
        if len(row) != self.width:
            raise BundleError(place, f"has {len(row)} cells, the row before it {self.width}")
        if self.count == DEFAULT_LIMITS.max_size or self.width > DEFAULT_LIMITS.max_size:
            raise BundleError(place, f"is too much: a side has at most {DEFAULT_LIMITS.max_size} cells")
        if row not in self._known:
            self._known = self._known if len(self._known) < _KNOWN_ROWS else set()
            self._known.add(row)
            for symbol in set(row).difference(self.symbols):
                self.symbols[symbol] = self.count
        self._band.append(row)
        self.count += 1
        if len(self._band) == CHUNK:
            self._cut()

    def end(self) -> None:
        """Finish the last chunks; there are no more rows."""
        self._cut()
        self._known = set()

    def _cut(self) -> None:
        y = (self.count - 1) // CHUNK
        blank = [EMPTY * CHUNK] * len(self._band)
        for left in range(0, self.width if self._band else 0, CHUNK):
            rows = [row[left : left + CHUNK] for row in self._band]
            if rows != blank and any(row.strip(EMPTY) for row in rows):
                self._take(self._layer, left // CHUNK, y, rows)
        self._band = []

    def check(self, width: int, height: int, symbols: set[str]) -> None:
        """Check that the rows fit their map.

        Raises:
            BundleError: there are not `height` rows of `width` cells, or a symbol is not in the legend.
        """
        if self.count != height:
            raise BundleError(self._place, f"has {self.count} rows; the map has {height}")
        if self.count and self.width != width:
            raise BundleError(f"{self._place}[0]", f"has {self.width} cells; the map is {width} wide")
        for symbol, row in self.symbols.items():
            if symbol not in symbols:
                raise BundleError(
                    f"{self._place}[{row}]", f"has the symbol {symbol!r}, which is not in the legend"
                )


class ReadMap(NamedTuple):
    """A map that was read: its JSON with `[n]` instead of the n-th list of rows, and those rows."""

    outline: bytes
    layers: list[Rows]

    def framed(self, document: dict[str, Any], place: str) -> tuple[dict[str, Any], int, int]:
        """The validated frame of the map, from its parsed grid data, and its width and height.

        Raises:
            BundleError: the document is invalid.
        """
        frame, bare = dict(document), dict(document)
        if isinstance(layers := document.get("layers"), list):
            found = [layer["rows"] for layer in layers if isinstance(layer, dict) and "rows" in layer]
            if found != [[number] for number in range(len(self.layers))]:
                raise BundleError(f"{place}: grid_data.layers", "has rows that are not a list of strings")
            frame["layers"] = [_marked(layer) for layer in layers]
            bare["layers"] = [_without_rows(layer) for layer in layers]
        if self.layers:
            bare = {"width": self.layers[0].width, "height": self.layers[0].count, **bare}
        try:
            check(bare)
        except GridError as error:
            raise BundleError(f"{place}: {error.violations[0].place}", error.violations[0].message) from None
        width, height = size(bare)
        symbols = {EMPTY, *(entry["symbol"] for entry in document.get("legend", ()))}
        for layer in self.layers:
            layer.check(width, height, symbols)
        return frame, width, height


def _marked(layer: Any) -> Any:
    """A layer of the frame, with its key instead of the number."""
    has_rows = isinstance(layer, dict) and "rows" in layer
    return {**layer, "rows": layer["rows"][0] + ROWS_MARK} if has_rows else layer


def _without_rows(layer: Any) -> Any:
    return {key: value for key, value in layer.items() if key != "rows"} if isinstance(layer, dict) else layer


def read(stream: IO[bytes], name: str, take: Take) -> ReadMap:
    """Read the entry of a map.

    Raises:
        BundleError: its rows are invalid, or it is too large without them.
    """
    reader = _Reader(name, take)
    while part := stream.read(_PART_BYTES):
        reader.feed(part)
    return ReadMap(reader.end(), reader.layers)


def _tokens(data: bytes) -> Iterator[tuple[int, int]]:
    """The positions of strings and of punctuation in a text, up to a string that continues in the next part."""
    at = 0
    while found := _STRUCTURE.search(data, at):
        start = found.start()
        at = _string_end(data, start + 1) if data[start] == _QUOTE else start + 1
        if not at:
            return
        yield start, at


def _string_end(data: bytes, start: int) -> int:
    """The end of a string whose text begins at `start`; 0 if it does not end."""
    at = data.find(b'"', start)
    while at >= 0:
        first = at
        while first > start and data[first - 1] == _BACKSLASH:
            first -= 1
        if (at - first) % 2 == 0:
            return at + 1
        at = data.find(b'"', at + 1)
    return 0


class _Reader:
    """Finds the rows in a text that arrives in parts. A parser checks whether the rest is valid JSON."""

    def __init__(self, name: str, take: Take) -> None:
        self.layers: list[Rows] = []
        self._name, self._take = name, take
        self._outline = bytearray()
        self._rest = b""
        self._keys: list[bytes] = []  # of the objects that are open; b"" for a list
        self._is_object: list[bool] = []
        self._wants_key = False
        self._layer = 0
        self._rows: Rows | None = None
        self._wants_row = False

    def feed(self, part: bytes) -> None:
        data = self._rest + part
        done = 0
        for start, end in _tokens(data):
            token, between = data[start:end], data[done:start]
            if self._rows:
                if between.strip():
                    raise BundleError(self._name, "This is not valid JSON, or a row is not a string.")
                self._in_rows(token)
            else:
                self._outline += between
                self._outside(token)
            done = end
        self._rest = data[done:]
        if len(self._rest) > _MAX_TOKEN or len(self._outline) > _MAX_OUTLINE:
            raise BundleError(self._name, "This entry is too large.")

    def end(self) -> bytes:
        return bytes(self._outline) + self._rest

    def _outside(self, token: bytes) -> None:
        match token:
            case b"{" | b"[":
                if token == b"[" and self._keys == _ROWS:
                    self._begin()
                    return
                self._keys.append(b"")
                self._is_object.append(token == b"{")
                self._wants_key = token == b"{"
            case b"}" | b"]":
                del self._keys[-1:], self._is_object[-1:]
                self._wants_key = False
            case b",":
                self._wants_key = self._is_object[-1:] == [True]
                self._layer += self._keys == _ROWS[:3]
            case b":":
                self._wants_key = False
            case _ if self._wants_key:
                self._keys[-1] = token
        self._outline += token

    def _begin(self) -> None:
        number = len(self.layers)
        if number == DEFAULT_LIMITS.max_layers:
            raise BundleError(f"{self._name}: grid_data.layers", f"has more than {number} layers with rows")
        self._rows = Rows(number, self._take, f"{self._name}: grid_data.layers[{self._layer}].rows")
        self.layers.append(self._rows)
        self._outline += b"[%d]" % number
        self._wants_row = True

    def _in_rows(self, token: bytes) -> None:
        assert self._rows
        if token == b"]" and (not self._wants_row or not self._rows.count):
            self._rows.end()
            self._rows = None
        elif token == b"," and not self._wants_row:
            self._wants_row = True
        elif token[:1] == b'"' and self._wants_row:
            self._wants_row = False
            try:
                row = orjson.loads(token)
            except orjson.JSONDecodeError:
                row = None
            self._rows.add(row)
        else:
            raise BundleError(self._name, "This is not valid JSON, or a row is not a string.")
