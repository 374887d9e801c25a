"""A stored grid is replaced: the chunks of the two are compared some at a time, and those that differ are written.

A map may have half a gigabyte of cells. So neither grid is held whole, but for the document that a client sent;
and of what was replaced, an event keeps many chunks packed (`game.grid.stored.pack`).
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from game.core.compute import TooLarge
from game.fog.changes import Watching
from game.grid.changes import same
from game.grid.chunks import CHUNK, ChunkKey, Frame, cut, frame_of, layer_keys
from game.grid.document import size
from game.grid.player_view import players_document, shown_layers
from game.grid.stored import PACKED_CHUNKS, pack
from game.maps.chunks import load_bands, load_texts, write_chunks
from game.maps.models import Map
from game.maps.players import EVERY_SYMBOL

_AT_ONCE = 1024
_SMALL_CHUNKS = 16
"""Chunks up to which comparing them is no work for a thread."""
_MAX_LISTED = 1024
"""Replaced chunks that an event keeps as they are; the others it keeps packed."""
_MAX_PACKED = 56 * 2**20
"""Bytes of packed chunks of one event."""
_MAX_WATCHED = 8192
"""Chunks of a map with fog that may change at once: what players remember of each is looked at."""


class Replaced:
    """The chunks of a locked and watched map while its grid is replaced."""

    def __init__(
        self, session: AsyncSession, row: Map, watching: Watching, on_progress: Callable[[], object] = object
    ) -> None:
        self._session, self._row, self._watching, self._on_progress = session, row, watching, on_progress
        self._layers: set[int] = set()
        self._count = 0
        self._listed: list[list[Any]] = []
        self._waiting: list[list[Any]] = []
        self._packed: list[str] = []
        self._packed_bytes = 0

    async def put_keys(self, chunks: Mapping[ChunkKey, bytes | None]) -> None:
        """Store chunks, as JSON texts of rows; None for an empty one."""
        await self.put(await load_texts(self._session, self._row, chunks), chunks)

    async def put(self, stored: Mapping[ChunkKey, str], chunks: Mapping[ChunkKey, bytes | None]) -> None:
        """Store chunks in place of those that are stored.

        Raises:
            TooLarge: it is more than the event can keep, or more than may change on a map with fog.
            QuotaExceeded: there is no room for them.
        """
        is_large = len(stored) + len(chunks) > _SMALL_CHUNKS
        compared = await asyncio.to_thread(_differing, stored, chunks) if is_large else _differing(stored, chunks)
        self._on_progress()
        if not compared:
            return
        changed = {key: chunks.get(key) for key in compared}
        self._count += len(changed)
        if self._count > _MAX_WATCHED and not self._watching.is_idle:
            raise TooLarge
        self._layers.update(layer for layer, _, _ in changed)
        await self._watching.keep(changed)
        await write_chunks(self._session, self._row, changed)
        await self._keep([[*key, rows] for key, rows in compared.items()])

    async def _keep(self, chunks: list[list[Any]]) -> None:
        room = _MAX_LISTED - len(self._listed)
        self._listed += chunks[:room]
        self._waiting += chunks[room:]
        while len(self._waiting) >= PACKED_CHUNKS:
            await self._pack()

    async def _pack(self) -> None:
        some, self._waiting = self._waiting[:PACKED_CHUNKS], self._waiting[PACKED_CHUNKS:]
        packed = await asyncio.to_thread(pack, some)
        self._packed += packed
        self._packed_bytes += sum(map(len, packed))
        if self._packed_bytes > _MAX_PACKED:
            raise TooLarge

    async def finish(self, frame: Frame, width: int, height: int) -> tuple[dict[str, Any], bool]:
        """Give the map its new frame and size.

        Returns what was replaced, empty when the two grids are equal, and whether players would see a difference.
        What was replaced is `grid_data`, the frame; `size`, width and height; and the changed chunks, as
        `check_replaced` describes them.
        """
        row = self._row
        # A size that the frame does not state is that of the rows, which may be all empty.
        if not self._count and same(frame, row.grid_data) and (width, height) == (row.width, row.height):
            return {}, False
        while self._waiting:
            await self._pack()
        before = {"grid_data": row.grid_data, "size": [row.width, row.height], "chunks": self._listed}
        if self._packed:
            before["packed"] = self._packed
        seen = await self._is_seen(frame)
        await write_chunks(self._session, row, {}, frame)
        row.grid_data, row.width, row.height = frame, width, height
        return before, seen

    async def _is_seen(self, frame: Frame) -> bool:
        """Whether players of the map without fog get something else than before."""
        old = self._row.grid_data
        layers = shown_layers(frame)
        if layers != shown_layers(old) or not layers.isdisjoint(self._layers):
            return True
        if same(*(players_document(one, EVERY_SYMBOL).frame for one in (old, frame))):
            return False
        # The cells that they see are the same, and so are the symbols in these.
        used = await self._symbols(layers)
        return not same(*(players_document(one, used).frame for one in (old, frame)))

    async def _symbols(self, layers: Iterable[int]) -> set[str]:
        row, used = self._row, set[str]()
        for some, bands in _parts(sorted(layers), row.width, row.height):
            used |= await asyncio.to_thread(_used, await load_bands(self._session, row, some, bands))
            self._on_progress()
        return used


async def replace_grid(
    session: AsyncSession,
    row: Map,
    document: Mapping[str, Any],
    watching: Watching,
    on_progress: Callable[[], object] = object,
) -> tuple[dict[str, Any], bool]:
    """Store a checked document as a locked and watched map's grid; returns what `Replaced.finish` does."""
    frame = frame_of(document, layer_keys(row.grid_data))
    width, height = size(document)
    replaced = Replaced(session, row, watching, on_progress)
    layers = sorted({*layer_keys(row.grid_data).values(), *layer_keys(frame).values()})
    for some, bands in _parts(layers, max(width, row.width), max(height, row.height)):
        stored = await load_bands(session, row, some, bands)
        await replaced.put(stored, await _cut(document, frame, some, bands))
    return await replaced.finish(frame, width, height)


async def write_grid(session: AsyncSession, row: Map, document: Mapping[str, Any]) -> None:
    """Store the chunks of a checked document as those of a new map, which has its frame."""
    for some, bands in _parts(sorted(layer_keys(row.grid_data).values()), row.width, row.height):
        await write_chunks(session, row, await _cut(document, row.grid_data, some, bands))
    await write_chunks(session, row, {}, row.grid_data)


def _parts(layers: list[int], width: int, height: int) -> Iterator[tuple[list[int], range]]:
    """All chunks of layers of a map, some at a time: layers and bands (chunk ys)."""
    across, down = -(-width // CHUNK), -(-height // CHUNK)
    if across * down * len(layers) <= _AT_ONCE:
        yield layers, range(down)
        return
    bands = max(_AT_ONCE // across, 1)
    for layer in layers:
        for top in range(0, down, bands):
            yield [layer], range(top, min(top + bands, down))


async def _cut(
    document: Mapping[str, Any], frame: Frame, layers: list[int], bands: range
) -> dict[ChunkKey, bytes | None]:
    width, _ = size(document)
    is_large = len(layers) * len(bands) * -(-width // CHUNK) > _SMALL_CHUNKS
    arguments = document, frame, layers, bands
    return await asyncio.to_thread(_cut_texts, *arguments) if is_large else _cut_texts(*arguments)


def _cut_texts(
    document: Mapping[str, Any], frame: Frame, layers: list[int], bands: range
) -> dict[ChunkKey, bytes | None]:
    return {key: orjson.dumps(rows) for key, rows in cut(document, frame, layers, bands).items()}


def _differing(stored: Mapping[ChunkKey, str], chunks: Mapping[ChunkKey, bytes | None]) -> dict[ChunkKey, Any]:
    """The stored rows of each chunk, None for an empty one, where the new ones are others."""
    differing = {}
    for key in sorted(stored.keys() | chunks.keys()):
        old, new = stored.get(key), chunks.get(key)
        rows = None if old is None else orjson.loads(old)
        if rows != (None if new is None else orjson.loads(new)):
            differing[key] = rows
    return differing


def _used(stored: Mapping[ChunkKey, str]) -> set[str]:
    return set().union(*{row for text in stored.values() for row in orjson.loads(text)})
