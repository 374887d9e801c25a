"""A universe as one file: a ZIP of JSON and pictures, readable by people.

    worldkeep.json       {"format": "worldkeep-universe", "version": 1, "universe": {}, "maps": [], "assets": []}
    maps/<id>.json       a map as in the API, with its grid data
    assets/<id>          a picture
    events.jsonl         the log, one event per line, oldest first
    characters.jsonl, tokens.jsonl, notes.jsonl, encounters.jsonl
                         one per line; absent in files of older servers
    rolls.jsonl, messages.jsonl
                         the same, oldest first, without what only some members may see: private rolls, whispers

Files are untrusted: nothing is unpacked to disk, paths in them are not used, and sizes are checked before reading.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Final

import orjson

FORMAT: Final = "worldkeep-universe"
VERSION: Final = 1
MANIFEST: Final = "worldkeep.json"
EVENTS: Final = "events.jsonl"
CHARACTERS: Final = "characters.jsonl"
TOKENS: Final = "tokens.jsonl"
NOTES: Final = "notes.jsonl"
ENCOUNTERS: Final = "encounters.jsonl"
ROLLS: Final = "rolls.jsonl"
MESSAGES: Final = "messages.jsonl"

_MAX_MAP: Final = 2 * 2**30
"""The maximum size of a map, in bytes: 2**29 cells of up to three bytes. Maps are read in parts."""
_MAX_PICTURE: Final = 64 * 2**20
_MAX_LINE: Final = 64 * 2**20
_MAX_ROWS: Final = 20_000
"""The maximum number of characters, tokens, notes or encounters."""
_LISTED_BYTES: Final = 1024
"""The maximum size of one map or asset in the manifest, and in the ZIP's directory."""
_END: Final = struct.Struct("<4s4H2LH")
"""The end of a ZIP file (APPNOTE 4.3.16): signature, disks, entries, size and place of the directory, comment."""


class BundleError(ValueError):
    """A file is not a valid bundle: `place` is where in the file, and `message` what is wrong."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(place, message)
        self.place, self.message = place, message


@dataclass(frozen=True)
class Limits:
    """The limits of a bundle; `unpacked` is in bytes."""

    maps: int
    assets: int
    events: int
    unpacked: int

    @property
    def listed(self) -> int:
        """The maximum size of the manifest, in bytes."""
        return (self.maps + self.assets + 100) * _LISTED_BYTES


class Writer:
    """Writes a bundle to a file, piece by piece."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)

    def add(self, name: str, data: bytes) -> None:
        """Add an entry."""
        # Pictures are already compressed.
        self._zip.writestr(name, data, zipfile.ZIP_STORED if name.startswith("assets/") else zipfile.ZIP_DEFLATED)

    def open(self, name: str) -> IO[bytes]:
        """Start an entry that is written in parts; close it before the next one."""
        return self._zip.open(name, "w", force_zip64=True)

    def close(self) -> None:
        """Finish the file."""
        self._zip.close()


class Reader:
    """Reads a bundle; every method raises BundleError if the file is invalid.

    The number and the sizes of entries are checked before any of them is read.
    """

    def __init__(self, file: IO[bytes], limits: Limits) -> None:
        self._limits, self._left = limits, limits.unpacked
        if _directory_size(file) > limits.listed:
            raise BundleError("file", "It has too many entries.")
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
            raise BundleError("file", "This is not a ZIP file, or it is broken.") from None
        entries = self._zip.infolist()
        if len({entry.filename for entry in entries}) < len(entries):
            raise BundleError("file", "It has two entries with the same name.")
        # The sizes in the headers; the actual sizes are checked when entries are read. Maps take no memory.
        if sum(entry.file_size for entry in entries if not entry.filename.startswith("maps/")) > limits.unpacked:
            raise BundleError("file", f"Its unpacked size is larger than {limits.unpacked >> 20} MiB.")
        self._names = {entry.filename for entry in entries}

    def manifest(self) -> dict[str, Any]:
        """Read the manifest; check its format and limits, that nothing is listed twice, and that all entries
        exist."""
        try:
            manifest = orjson.loads(self.read(MANIFEST, self._limits.listed))
        except orjson.JSONDecodeError:
            raise BundleError(MANIFEST, "This is not JSON.") from None
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise BundleError(MANIFEST, "This is not an exported universe of Worldkeep.")
        if manifest.get("version") != VERSION:
            raise BundleError(MANIFEST, f"It has a different format version; this server reads version {VERSION}.")
        maps = _listed(manifest, "maps", self._limits.maps)
        assets = _listed(manifest, "assets", self._limits.assets)
        for index, one in enumerate(assets):
            if not isinstance(one, dict):
                raise BundleError(f"{MANIFEST}: assets[{index}]", "An asset is an object with an id.")
        self._require_entries("maps", maps, "maps/{}.json")
        self._require_entries("assets", [one.get("id") for one in assets], "assets/{}")
        return {**manifest, "maps": maps, "assets": assets}

    def _require_entries(self, key: str, ids: list[Any], path: str) -> None:
        seen = set()
        for index, one in enumerate(ids):
            place = f"{MANIFEST}: {key}[{index}]"
            if not isinstance(one, str) or not 0 < len(one) <= 64:
                raise BundleError(place, "Its id must be a string of at most 64 characters.")
            if one in seen:
                raise BundleError(place, "It is listed twice.")
            if (name := path.format(one)) not in self._names:
                raise BundleError(name, "This entry is missing.")
            seen.add(one)

    @contextmanager
    def map(self, map_id: str) -> Iterator[IO[bytes]]:
        """The JSON of a map that the manifest lists, to be read in parts."""
        name = f"maps/{map_id}.json"
        with self._broken(name):
            if self._zip.getinfo(name).file_size > _MAX_MAP:
                raise BundleError(name, "This entry is too large.")
            # The size in the header, which `zipfile` enforces.
            with self._zip.open(name) as entry:
                yield entry

    def picture(self, asset_id: str) -> bytes:
        """The bytes of an asset that the manifest lists."""
        return self.read(f"assets/{asset_id}", _MAX_PICTURE)

    def read(self, name: str, limit: int) -> bytes:
        """Read an entry of at most `limit` bytes."""
        limit = min(limit, self._left)
        try:
            with self._zip.open(name) as entry:
                data = entry.read(limit + 1)
        except KeyError:
            raise BundleError(name, "This entry is missing.") from None
        except MemoryError:
            raise
        except Exception:
            raise BundleError(name, "This entry is broken.") from None
        if len(data) > limit:
            raise BundleError(name, "This entry is too large.")
        self._left -= len(data)
        return data

    def events(self) -> Iterator[bytes]:
        """The lines of the log, without line ends."""
        return self._lines(EVENTS, self._limits.events)

    def rows(self, name: str) -> Iterator[bytes]:
        """The lines of an optional entry, without line ends."""
        limit = self._limits.events if name in (ROLLS, MESSAGES) else _MAX_ROWS
        return self._lines(name, limit) if name in self._names else iter(())

    def _lines(self, name: str, limit: int) -> Iterator[bytes]:
        with self._broken(name), self._zip.open(name) as entry:
            count = 0
            while line := entry.readline(min(_MAX_LINE, self._left) + 1):
                self._left -= len(line)
                count += 1
                if count > limit:
                    raise BundleError(name, f"It has more than {limit:,} lines.")
                if self._left < 0 or len(line) > _MAX_LINE:
                    raise BundleError(f"{name}: line {count}", "This line is too long.")
                yield line.rstrip(b"\r\n")

    @contextmanager
    def _broken(self, name: str) -> Iterator[None]:
        """Convert errors of reading an entry into a BundleError."""
        try:
            yield
        except BundleError:
            raise
        except KeyError:
            raise BundleError(name, "This entry is missing.") from None
        except (
            zipfile.BadZipFile,
            zipfile.LargeZipFile,
            EOFError,
            OSError,
            RuntimeError,
            struct.error,
            zlib.error,
        ):
            raise BundleError(name, "This entry is broken.") from None


def check_lists(path: str, limits: Limits) -> None:
    """Check the limits of a bundle, and that nothing is listed twice; takes milliseconds.

    Raises:
        BundleError: a limit is exceeded, something is listed twice, or it is not a bundle.
    """
    with open(path, "rb") as file:
        Reader(file, limits).manifest()


def _listed(manifest: dict[str, Any], name: str, limit: int) -> list[Any]:
    value = manifest.get(name, [])
    if not isinstance(value, list):
        raise BundleError(f"{MANIFEST}: {name}", "This must be a list.")
    if len(value) > limit:
        raise BundleError(f"{MANIFEST}: {name}", f"It lists {len(value):,}; at most {limit:,} are allowed.")
    return value


def _directory_size(file: IO[bytes]) -> int:
    """The size of a ZIP's directory, which `zipfile` reads as a whole."""
    end = file.seek(0, 2)
    file.seek(max(0, end - _END.size - 2**16))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(tail):
        raise BundleError("file", "This is not a ZIP file, or it is broken.")
    return int(_END.unpack_from(tail, at)[5])
