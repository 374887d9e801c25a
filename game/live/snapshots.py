"""The state of a map at one moment, read once for all sessions that watch it, and what each of them sees of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from game import permissions
from game.core.errors import NotFound
from game.fog import views
from game.fog.models import PARTY, Fog
from game.fog.queries import Memories, piece_of
from game.fog.viewers import MapState, viewer_of
from game.fog.views import MapView, ViewKey
from game.grid.canvas import Wanted
from game.live import queries
from game.maps.fogged import part_of
from game.permissions import GAME_MASTERS, Role
from game.play.boards import Board, board_of
from game.play.tokens import in_view
from game.tokens.queries import Found
from game.universes.access import Access

if TYPE_CHECKING:
    from game.core.coalescer import Reads
    from game.live.session import LiveSession

Box = tuple[int, int, int, int]
"""x, y, width, height, in cells."""

_OPERATION = "listTokens"


class Snapshot:
    """A map after event `seq` of its universe, read by one statement.

    Its grid is loaded on demand, in exactly this version.
    """

    def __init__(self, reads: Reads, viewers: Sequence[UUID], row: Any) -> None:
        self._reads, self._viewers, self._row = reads, viewers, row
        self.seq: int = row["event_seq"]
        self.version: int = row["version"]
        self.has_fog: bool = row["fog"] != Fog.off
        self.is_published: bool = row["visibility"] == "members"
        self._members = {UUID(one): Role(role) for one, role in orjson.loads(row["members"] or "{}").items()}
        self._tokens = [_token(*one) for one in orjson.loads(row["tokens"] or "[]")]
        self.cache: dict[Any, Any] = {}
        """Results that several sessions need."""
        self._board: Board | None = None
        self._memories: Memories | None = None

    @classmethod
    async def at(cls, reads: Reads, universe_id: UUID, map_id: UUID, user_ids: Sequence[UUID]) -> Snapshot:
        """Reads a map as it is now, for the given users; `reads` is the hub, or a transaction.

        Raises:
            NotFound: it no longer exists.
        """
        viewers = [PARTY, *dict.fromkeys(user_ids)]
        row = await reads.fetch(queries.SNAPSHOT, universe_id, map_id, f"{{{','.join(map(str, viewers))}}}")
        if row is None:
            raise NotFound
        return cls(reads, viewers, row)

    def is_for(self, user_id: UUID) -> bool:
        """Whether the map was read for this user; what other users remember of it is not included."""
        return user_id in self._viewers

    def role_of(self, session: LiveSession) -> Role:
        """The role of a session's user in this state.

        Raises:
            NotFound: they may not read the map.
        """
        role = self._members.get(session.user_id, Role.superuser if session.is_visitor else None)
        if role is None or not (self.is_published or role in GAME_MASTERS):
            raise NotFound
        permissions.require(_OPERATION, role)
        return role

    def tokens(self, session: LiveSession, role: Role, view: MapView | None) -> dict[str, dict[str, Any]]:
        """The tokens that a session's user sees, by id; `view` is what they see of a map with fog."""
        # Only the ids of the user and the universe are used.
        user: Any = SimpleNamespace(id=session.user_id)
        universe: Any = SimpleNamespace(id=session.universe_id)
        access = Access(user, universe, role)
        found = [Found.of(row, access, taken) for row, taken, _ in self._tokens]
        return {str(one.row.id): one.read() for one in in_view(found, view)}

    async def view(self, user_id: UUID) -> MapView:
        """What a player or spectator sees of a map with fog; computed once for each group of viewers.

        Raises:
            Changed: the map has changed meanwhile.
        """
        row = self._row
        viewer = viewer_of(row["fog_sharing"], user_id)
        key = ViewKey(row["map_id"], viewer, self.seq)
        if kept := views.cached(key):
            return kept
        board = await self._grid()
        distance = board.grid_data.get("cell_distance")
        pieces = [_piece(token, taken, senses, distance) for token, taken, senses in self._tokens]
        map_state = MapState(
            board.grid_data,
            board.width,
            board.height,
            self.is_published,
            row["fog_sharing"],
            row["lighting"],
            self._members,
            {piece.id: piece for piece in pieces},
        )
        if self._memories is None:
            self._memories = Memories(self._viewers)
            self._memories.take(row["wholes"], row["chunks"])
        scene_key = row["scene_key"] or row["map_id"]
        load = partial(board.load_any, self._reads)
        view = await views.compute(map_state, viewer, scene_key, row["fog"], self._memories.of(viewer), load)
        views.cache(key, view)
        return view

    async def region(self, view: MapView, box: Box) -> dict[str, Any]:
        """A rectangle as a group of viewers sees it; computed once for all of them.

        Raises:
            Changed: the map has changed meanwhile.
        """
        name = "live region", box
        if name not in view.cache:
            board = await self._grid()
            stored = await board.load_any(self._reads, Wanted(view.fogged.keys_in(*box), []))
            view.cache[name] = await part_of(view, stored, *box)
        region: dict[str, Any] = view.cache[name]
        return region

    async def symbols(self, view: MapView) -> set[str]:
        """The symbols of all cells that a group of viewers sees or remembers.

        Raises:
            Changed: the map has changed meanwhile.
        """
        board = await self._grid()
        stored = await board.load_any(self._reads, Wanted(view.fogged.keys(), []))
        return await asyncio.to_thread(view.fogged.symbols, stored)

    async def _grid(self) -> Board:
        row = self._row
        if self._board is None:
            place = row["universe_id"], row["map_id"], row["version"], row["updated_at"]
            self._board = await board_of(self._reads, *place)
        return self._board


def _token(fields: dict[str, Any], taken: Mapping[str, Any] | None, senses: Any) -> tuple[Any, Any, Any]:
    for name in ("created_at", "updated_at"):
        fields[name] = datetime.fromisoformat(fields[name]).astimezone(UTC)
    return SimpleNamespace(**fields), taken, senses


def _piece(token: Any, taken: Mapping[str, Any] | None, senses: Any, distance: Any) -> Any:
    place = token.x, token.y, token.size
    more = (taken or {}).get("grants")
    return piece_of(
        UUID(token.id), *place, token.hidden, token.sight, token.light, token.grants, more, senses, distance
    )
