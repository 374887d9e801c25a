"""Fog for fast moves: what the mover knows, and what the groups of viewers remember after the move.

The rules are those of `game.fog`. Here, the needed parts of memories are read by one coalesced statement.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from math import ceil
from typing import Any, Final
from uuid import UUID

import orjson

from game.core.coalescer import Coalescer, HotStatement
from game.fog import changes, sights
from game.fog.models import Fog
from game.fog.queries import MEMORIES, Changes, Memories, piece_of
from game.fog.viewers import MapState, Piece, viewer_of
from game.grid.cell_sets import Cells, ChunkXY, rectangle
from game.grid.fogged_view import FoggedView, Mode
from game.grid.geometry import Point
from game.grid.memory import chunks_beside
from game.grid.moves import Known, Move
from game.permissions import Role
from game.play.boards import Board

_MARGIN: Final = 8
"""The distance from a path, in cells, beyond which nothing can block a token."""
_MAX_REACH: Final = 64

_IS_WANTED = "(q.chunks IS NULL OR q.chunks @> jsonb_build_array(jsonb_build_array(c.x, c.y)))"
_COLUMNS = {
    "universe_id": "q.universe_id",
    "map_id": "q.map_id",
    "viewers": "q.viewers::uuid[]",
    "chunks": _IS_WANTED,
}
_MEMORY = HotStatement(f"""
    SELECT q.n, {MEMORIES.format(**_COLUMNS)}
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::jsonb[])
        WITH ORDINALITY AS q (universe_id, map_id, viewers, chunks, n)
""")


class _Memories(Memories):
    """The memories of some groups of a map, read by hot statements."""

    def __init__(self, hot: Coalescer, board: Board, viewers: Sequence[UUID]) -> None:
        super().__init__(viewers)
        self._hot, self._map_key = hot, (board.universe_id, board.id)

    async def load_wholes(self) -> None:
        """Does nothing: the wholes are loaded with the first chunks."""

    async def read_chunks(self, chunks: Sequence[ChunkXY] | None) -> None:
        viewers = f"{{{','.join(map(str, self.viewers))}}}"
        keys = None if chunks is None else orjson.dumps(chunks).decode()
        row: Any = await self._hot.fetch(_MEMORY, *self._map_key, viewers, keys)
        self.take(row["wholes"], row["chunks"])


class FogState:
    """What viewers see and remember of a map that has or had fog, before a move."""

    def __init__(self, hot: Coalescer, board: Board, row: Any, members: Mapping[UUID, Role]) -> None:
        """`row` is from the statement that reads the data of a move."""
        pieces = [_piece(one) for one in orjson.loads(row["pieces"])]
        self._map_state = MapState(
            board.grid_data,
            board.width,
            board.height,
            board.is_published,
            row["fog_sharing"],
            row["lighting"],
            members,
            {piece.id: piece for piece in pieces},
        )
        self._viewer = viewer_of(row["fog_sharing"], row["user_id"])
        self._mode: Mode = "explored" if board.fog == Fog.explored else "sight"
        self._load = partial(board.load, hot)
        self._sights = sights.sights_of(row["scene_key"], board.grid_data, board.width, board.height)
        self._memories = _Memories(hot, board, self._map_state.viewers())
        self._seen: Mapping[UUID, Cells] = {}
        self._view: FoggedView | None = None

    async def load_near(self, token_id: UUID, path: Sequence[Point] | None) -> None:
        """Compute what is in sight, and load what is remembered near a path; without a path, of the whole map."""
        self._seen = await sights.seen(self._map_state, self._sights.vision, self._memories.viewers, self._load)
        if path is None:
            await self._memories.load(None)
            return
        sight = self._map_state.observer(self._map_state.pieces[token_id]).sight
        reach = min(max(ceil(sight.range), _MARGIN), _MAX_REACH)
        await self._memories.load(chunks_beside(rectangle(*self._around(token_id, path, reach))))

    def known(self, token_id: UUID, path: Sequence[Point] | None) -> Known:
        """The map near a path, or the whole map, as the moving player knows it."""
        view = self._view_of(self._memories.of(self._viewer), self._seen)
        return view.known if path is None else view.known_near(*self._around(token_id, path, _MARGIN))

    def _view_of(self, memory: Any, seen: Mapping[UUID, Cells]) -> FoggedView:
        self._view = FoggedView(self._sights.scene, memory, seen[self._viewer], self._mode)
        return self._view

    async def changes_of_move(self, token_id: UUID, done: Move) -> Changes:
        """The changes of the memories by a move."""
        piece = self._map_state.pieces[token_id]._replace(x=done.x, y=done.y)
        remembered, seen = await changes.after_move(
            self._map_state, piece, done.cells, self._sights, self._seen, self._memories, self._load
        )
        if self._viewer in remembered:
            self._view_of(remembered[self._viewer], seen)
        return self._memories.changes(remembered)

    def doors(self) -> list[dict[str, Any]]:
        """The doors that the moving player knows of."""
        return [] if self._view is None else self._view.doors(self._view.shown)

    def _around(self, token_id: UUID, path: Sequence[Point], margin: int) -> tuple[int, int, int, int]:
        """The rectangle around a path with the token, with a margin, clipped to the map: x, y, width, height."""
        map_state, piece = self._map_state, self._map_state.pieces[token_id]
        xs, ys = [piece.x, *(x for x, _ in path)], [piece.y, *(y for _, y in path)]
        left, top = max(int(min(xs)) - margin, 0), max(int(min(ys)) - margin, 0)
        right = min(ceil(max(xs)) + margin, map_state.width)
        bottom = min(ceil(max(ys)) + margin, map_state.height)
        return left, top, max(right - left, 0), max(bottom - top, 0)


def _piece(one: dict[str, Any]) -> Piece:
    token_id, *columns = one.values()
    return piece_of(UUID(token_id), *columns)
