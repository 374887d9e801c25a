"""Replaces a stored grid: compares the chunks of the two grids in batches, and writes those that differ.

A map may have half a gigabyte of cells, so neither grid is in memory as a whole, except for the document that a
client sent. If many chunks are replaced, the event stores the old ones packed (`game.grid.stored.pack`).
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from game.core.compute import TooLarge
from game.fog.changes import ChangeTracker
from game.grid.changes import same
from game.grid.chunks import CHUNK, ChunkKey, Frame, cut, frame_of, layer_keys
from game.grid.document import size
from game.grid.player_view import EVERY_SYMBOL, players_document, shown_layers
from game.grid.stored import PACKED_CHUNKS, pack
from game.maps.chunks import load_bands, load_texts, write_chunks
from game.maps.models import Map
from game.universes.access import set_busy

_BATCH_CHUNKS = 1024
_SMALL_CHUNKS = 16
"""More chunks than this are compared in a thread."""
_BUSY_CHUNKS = 2048
"""To replace more chunks than this takes more than a second."""
_MAX_LISTED = 1024
"""The number of replaced chunks that an event stores as they are; any others are packed."""
_MAX_PACKED = 56 * 2**20
"""The maximum size of the packed chunks of one event, in bytes."""
_MAX_WATCHED = 8192
"""The number of chunks that may change at once on a map with fog: each is compared with what players remember."""


class Replaced:
    """Replaces chunks of a locked and watched map, and collects the old ones."""

    def __init__(
        self, session: AsyncSession, row: Map, tracker: ChangeTracker, on_progress: Callable[[], object] = object
    ) -> None:
        self._session, self._row, self._tracker, self._on_progress = session, row, tracker, on_progress
        self._layers: set[int] = set()
        self._count = 0
        self._is_busy = False
        self._listed: list[list[Any]] = []
        self._waiting: list[list[Any]] = []
        self._packed: list[str] = []
        self._packed_bytes = 0

    async def put_keys(self, chunks: Mapping[ChunkKey, bytes | None]) -> None:
        """Like `put`, but loads the stored chunks with the same keys."""
        await self.put(await load_texts(self._session, self._row, chunks), chunks)

    async def put(self, stored: Mapping[ChunkKey, str], chunks: Mapping[ChunkKey, bytes | None]) -> None:
        """Replace stored chunks by others. Both are JSON texts of rows; an empty chunk is None or missing.

        Raises:
            TooLarge: these are more than the event can store, or more than may change on a map with fog.
            QuotaExceeded: they do not fit into the quota.
        """
        is_large = len(stored) + len(chunks) > _SMALL_CHUNKS
        compared = await asyncio.to_thread(_differing, stored, chunks) if is_large else _differing(stored, chunks)
        self._on_progress()
        if not compared:
            return
        changed = {key: chunks.get(key) for key in compared}
        self._count += len(changed)
        if self._count > _MAX_WATCHED and not self._tracker.is_idle:
            raise TooLarge
        if self._count > _BUSY_CHUNKS and not self._is_busy:
            self._is_busy = await set_busy(self._session, self._row.universe_id)
        self._layers.update(layer for layer, _, _ in changed)
        await self._tracker.keep(changed)
        await write_chunks(self._session, self._row, changed)
        await self._keep([[*key, rows] for key, rows in compared.items()])

    async def _keep(self, chunks: list[list[Any]]) -> None:
        room = _MAX_LISTED - len(self._listed)
        self._listed += chunks[:room]
        self._waiting += chunks[room:]
        while len(self._waiting) >= PACKED_CHUNKS:
            await self._pack()

    async def _pack(self) -> None:
        batch, self._waiting = self._waiting[:PACKED_CHUNKS], self._waiting[PACKED_CHUNKS:]
        packed = await asyncio.to_thread(pack, batch)
        self._packed += packed
        self._packed_bytes += sum(map(len, packed))
        if self._packed_bytes > _MAX_PACKED:
            raise TooLarge

    async def finish(self, frame: Frame, width: int, height: int) -> tuple[dict[str, Any], bool]:
        """Set the map's new frame and size.

        Returns what was replaced (empty if the two grids are equal), and whether players would see a difference.
        What was replaced is `grid_data`, the frame; `size`, width and height; and the changed chunks, as
        `check_replaced` describes them.
        """
        row = self._row
        # The size is compared, too: without a size in the frame it is that of the rows, which may all be empty.
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
        """Whether the document that players get of a map without fog changes."""
        old = self._row.grid_data
        layers = shown_layers(frame)
        if layers != shown_layers(old) or not layers.isdisjoint(self._layers):
            return True
        if same(*(players_document(one, EVERY_SYMBOL).frame for one in (old, frame))):
            return False
        # The cells that they see are unchanged, so both documents use the same symbols.
        used = await self._symbols(layers)
        return not same(*(players_document(one, used).frame for one in (old, frame)))

    async def _symbols(self, layers: Iterable[int]) -> set[str]:
        row, used = self._row, set[str]()
        for batch, bands in _batches(sorted(layers), row.width, row.height):
            used |= await asyncio.to_thread(_used, await load_bands(self._session, row, batch, bands))
            self._on_progress()
        return used


async def replace_grid(
    session: AsyncSession,
    row: Map,
    document: Mapping[str, Any],
    tracker: ChangeTracker,
    on_progress: Callable[[], object] = object,
) -> tuple[dict[str, Any], bool]:
    """Replace the grid of a locked and watched map by a valid document; returns what `Replaced.finish` does."""
    frame = frame_of(document, layer_keys(row.grid_data))
    width, height = size(document)
    replaced = Replaced(session, row, tracker, on_progress)
    layers = sorted({*layer_keys(row.grid_data).values(), *layer_keys(frame).values()})
    for batch, bands in _batches(layers, max(width, row.width), max(height, row.height)):
        stored = await load_bands(session, row, batch, bands)
        await replaced.put(stored, await _cut(document, frame, batch, bands))
    return await replaced.finish(frame, width, height)


async def write_grid(session: AsyncSession, row: Map, document: Mapping[str, Any]) -> None:
    """Store the chunks of a valid document for a new map, which already has its frame."""
    for batch, bands in _batches(sorted(layer_keys(row.grid_data).values()), row.width, row.height):
        await write_chunks(session, row, await _cut(document, row.grid_data, batch, bands))
    await write_chunks(session, row, {}, row.grid_data)


def _batches(layers: list[int], width: int, height: int) -> Iterator[tuple[list[int], range]]:
    """All chunks of these layers of a map in batches: (layers, bands), where bands are chunk ys."""
    across, down = -(-width // CHUNK), -(-height // CHUNK)
    if across * down * len(layers) <= _BATCH_CHUNKS:
        yield layers, range(down)
        return
    bands = max(_BATCH_CHUNKS // across, 1)
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
    """The stored rows of each chunk whose new rows differ from them; None for an empty chunk."""
    differing = {}
    for key in sorted(stored.keys() | chunks.keys()):
        old, new = stored.get(key), chunks.get(key)
        rows = None if old is None else orjson.loads(old)
        if rows != (None if new is None else orjson.loads(new)):
            differing[key] = rows
    return differing


def _used(stored: Mapping[ChunkKey, str]) -> set[str]:
    return set().union(*{row for text in stored.values() for row in orjson.loads(text)})
