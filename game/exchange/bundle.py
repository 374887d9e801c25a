"""A universe as one file: a ZIP of JSON and pictures that people can look into.

    worldkeep.json       {"format": "worldkeep-universe", "version": 1, "universe": {}, "maps": [], "assets": []}
    maps/<id>.json       a map as the API gives it, with its grid data
    assets/<id>          a picture
    events.jsonl         the log, one event a line, oldest first

A file that comes back may come from a stranger: nothing is unpacked to disk, no name in it is followed, and no
entry is read further than it may be long.
"""

import io
import zipfile
from typing import IO, Any

import orjson

FORMAT = "worldkeep-universe"
VERSION = 1
MANIFEST = "worldkeep.json"
EVENTS = "events.jsonl"
MAX_ENTRIES = 20_000
MAX_ENTRY = 64 * 2**20
MAX_UNPACKED = 512 * 2**20


class BundleError(ValueError):
    """A file that is no bundle of ours, or is broken: `place` says where in it, the message what."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(message)
        self.place, self.message = place, message


class Writer:
    """Writes a bundle piece by piece: each call gives the bytes that are ready to be sent."""

    def __init__(self) -> None:
        self._buffer = _Pipe()
        self._zip = zipfile.ZipFile(self._buffer, "w", zipfile.ZIP_DEFLATED)
        self._entry: IO[bytes] | None = None

    def add(self, name: str, data: bytes) -> bytes:
        """Add an entry."""
        # Pictures are packed already.
        kind = zipfile.ZIP_STORED if name.startswith("assets/") else zipfile.ZIP_DEFLATED
        self._zip.writestr(name, data, kind)
        return self._buffer.take()

    def open(self, name: str) -> None:
        """Begin an entry that comes in parts; it ends with the file."""
        self._entry = self._zip.open(name, "w")

    def append(self, part: bytes) -> bytes:
        """Add a part to the entry that was begun."""
        if self._entry is not None:
            self._entry.write(part)
        return self._buffer.take()

    def close(self) -> bytes:
        """Finish the file."""
        if self._entry is not None:
            self._entry.close()
        self._zip.close()
        return self._buffer.take()


class _Pipe(io.RawIOBase):
    """What a ZipFile writes to: keeps the bytes until they are taken; cannot go back."""

    def __init__(self) -> None:
        self._parts = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts += data
        return len(data)

    def take(self) -> bytes:
        """The bytes written since the last call."""
        parts, self._parts = bytes(self._parts), bytearray()
        return parts


class Reader:
    """Reads a bundle; every method raises BundleError where the file is not as it should be."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            entries = self._zip.infolist()
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
            raise BundleError("file", "This is not a ZIP file, or it is broken.") from None
        if len(entries) > MAX_ENTRIES:
            raise BundleError("file", f"It has {len(entries)} entries; at most {MAX_ENTRIES} are taken.")
        # What the headers claim; what is really unpacked is bounded when it is read.
        if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
            raise BundleError("file", f"Unpacked, it would be larger than {MAX_UNPACKED >> 20} MiB.")
        self._left = MAX_UNPACKED

    def read(self, name: str) -> bytes:
        """The bytes of an entry."""
        try:
            with self._zip.open(name) as entry:
                data = entry.read(min(MAX_ENTRY, self._left) + 1)
        except KeyError:
            raise BundleError(name, "This entry is missing.") from None
        except Exception:
            raise BundleError(name, "This entry is broken.") from None
        if len(data) > min(MAX_ENTRY, self._left):
            raise BundleError(name, "This entry is too large.")
        self._left -= len(data)
        return data

    def manifest(self) -> dict[str, Any]:
        """The manifest, as JSON of the right kind."""
        try:
            manifest = orjson.loads(self.read(MANIFEST))
        except orjson.JSONDecodeError:
            raise BundleError(MANIFEST, "This is not JSON.") from None
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise BundleError(MANIFEST, "This is not a universe of Worldkeep.")
        if manifest.get("version") != VERSION:
            raise BundleError(MANIFEST, f"It is of another version; this server reads version {VERSION}.")
        return manifest
