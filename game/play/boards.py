"""The grids of maps on which tokens move, cached in the worker by the map's version.

Every change of a map gives it another version, and another time: a cached grid can be outdated, but not wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import orjson

from game.core.cache import LruCache
from game.core.coalescer import HotStatement, Reads
from game.grid.canvas import Loaded, Wanted
from game.grid.chunks import ChunkKey, Frame
from game.grid.player_view import EVERY_SYMBOL, players_document

_MAX_BOARDS: Final = 1024
_MAX_BYTES: Final = 8 * 2**20
"""The maximum size of all cached grids as JSON text; parsed, they take several times as much memory."""
_MAX_CHUNKS: Final = 64
"""The maximum number of chunks, of about 5 KB each, that are cached for a board, or loaded by one query."""

_GRID = HotStatement("""
    SELECT q.n, m.version, m.updated_at, m.width, m.height, m.fog, m.visibility = 'members' AS is_published,
        m.grid_data
    FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS q (universe_id, map_id, n)
    JOIN map m ON m.universe_id = q.universe_id AND m.id = q.map_id
""")
_CHUNKS = HotStatement("""
    SELECT q.n, m.version, m.updated_at, (
        SELECT jsonb_agg(jsonb_build_array(c.layer, c.x, c.y, c.rows))
        FROM jsonb_array_elements(q.keys) AS wanted (key)
        JOIN map_chunk c ON c.universe_id = q.universe_id AND c.map_id = q.map_id
            AND c.layer = (wanted.key->>0)::int AND c.x = (wanted.key->>1)::int AND c.y = (wanted.key->>2)::int
    ) AS chunks
    FROM unnest($1::uuid[], $2::uuid[], $3::jsonb[]) WITH ORDINALITY AS q (universe_id, map_id, keys, n)
    JOIN map m ON m.universe_id = q.universe_id AND m.id = q.map_id
""")


class Changed(Exception):
    """The map has another version now."""


class TooMuch(Exception):
    """The steps need more of the map than may be cached."""


@dataclass
class Board:
    """A version of a map: its grid, and the chunks that were loaded so far (None: an empty one)."""

    universe_id: UUID
    id: UUID
    version: int
    updated_at: datetime
    width: int
    height: int
    fog: str
    is_published: bool
    grid_data: Frame
    size: int
    """Bytes of its text."""
    _chunks: dict[ChunkKey, Sequence[str] | None] = field(default_factory=dict)

    @cached_property
    def players(self) -> Frame:
        """The grid as players get it, with the whole legend."""
        return players_document(self.grid_data, EVERY_SYMBOL).frame

    async def load(self, reads: Reads, wanted: Wanted) -> Loaded:
        """The chunks that steps need.

        Raises:
            Changed: the map has another version by now.
            TooMuch: they need whole layers, or too many chunks.
        """
        keys = wanted.chunks
        if wanted.layers or len(keys) > _MAX_CHUNKS:
            raise TooMuch
        if missing := [key for key in keys if key not in self._chunks]:
            found = await self._read(reads, missing)
            if len(self._chunks) + len(missing) > _MAX_CHUNKS:
                self._chunks.clear()
            self._chunks |= {key: found.get(key) for key in keys if key in found or key not in self._chunks}
        return {key: rows for key in keys if (rows := self._chunks.get(key)) is not None}

    async def load_any(self, reads: Reads, wanted: Wanted) -> Loaded:
        """Like `load`, for any number of chunks; they are not cached if there are too many.

        Raises:
            Changed: the map has another version by now.
        """
        if len(wanted.chunks) <= _MAX_CHUNKS:
            return await self.load(reads, wanted)
        found: dict[ChunkKey, Sequence[str]] = {}
        for start in range(0, len(wanted.chunks), _MAX_CHUNKS):
            found |= await self._read(reads, wanted.chunks[start : start + _MAX_CHUNKS])
        return found

    async def _read(self, reads: Reads, keys: Sequence[ChunkKey]) -> dict[ChunkKey, Sequence[str]]:
        row = await reads.fetch(_CHUNKS, self.universe_id, self.id, orjson.dumps(keys).decode())
        if row is None or (row["version"], row["updated_at"]) != (self.version, self.updated_at):
            raise Changed
        return {(layer, x, y): rows for layer, x, y, rows in orjson.loads(row["chunks"] or "[]")}


_cache: LruCache[UUID, Board] = LruCache(_MAX_BOARDS, _MAX_BYTES)


async def board_of(reads: Reads, universe_id: UUID, map_id: UUID, version: int, updated_at: datetime) -> Board:
    """A map in this version.

    Raises:
        Changed: it has another version by now.
    """
    board = _cache.get(map_id)
    if board is None or (board.version, board.updated_at) != (version, updated_at):
        row: Any = await reads.fetch(_GRID, universe_id, map_id)
        if row is None or (row["version"], row["updated_at"]) != (version, updated_at):
            raise Changed
        names = ("version", "updated_at", "width", "height", "fog", "is_published")
        text = row["grid_data"]
        fields = {name: row[name] for name in names}
        board = Board(universe_id, map_id, **fields, grid_data=orjson.loads(text), size=len(text))
        _cache.put(map_id, board, board.size)
    return board
