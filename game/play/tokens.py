"""Tokens with the maps that they stand on: finding those that somebody sees, and changing them."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.accounts.models import User
from game.core.errors import Forbidden, NotFound
from game.fog import changes as fog
from game.fog.viewers import viewer_of
from game.fog.views import MapView, view_of
from game.grants import Right
from game.grid.geometry import GridType
from game.maps import fogged
from game.maps import queries as maps
from game.maps.models import Map
from game.permissions import Role
from game.tokens import queries as tokens
from game.tokens.models import Token
from game.tokens.queries import Found
from game.universes import access
from game.universes.access import Access

_ACTING = frozenset({"name", "color", "rotation", "elevation", "conditions", "bars"})
"""What somebody changes who may act for a token and is no game master."""

_SEEN_WITH = frozenset({"x", "y", "size", "sight", "light", "hidden", "grants", "character_id"})
"""What decides who sees what with a token."""


class Piece(NamedTuple):
    """A token that somebody sees, and the map that it stands on, without its grid."""

    found: Found
    ground: Map

    @property
    def role(self) -> Role:
        """What that somebody is in its universe."""
        return self.found.access.role


async def seen(session: AsyncSession, ground: Map, found: list[Found], view: MapView | None = None) -> list[Found]:
    """Those of the tokens of a map that their reader sees; under fog, those on a cell in sight.

    `view` is what they see of the map, if that is known already.
    """
    shown = [one for one in found if one.is_shown]
    if not ground.has_fog or all(map(_is_in_own_sight, shown)):
        return shown
    if view is None:
        viewer = viewer_of(ground.fog_sharing, shown[0].access.user.id)
        view = await view_of(session, await with_grid(session, ground), viewer)
    return in_view(shown, view)


def in_view(found: list[Found], view: MapView | None) -> list[Found]:
    """Those of the tokens of a map that their reader sees; `view` is what they see of the map under fog."""
    shown = [one for one in found if one.is_shown]
    if view is None:
        return shown
    return [one for one in shown if _is_in_own_sight(one) or view.shows(one.row.x, one.row.y, one.row.size)]


def _is_in_own_sight(found: Found) -> bool:
    """Whether a token's reader sees with its eyes, and so the token: spectators do not see for a party."""
    return Right.sight in found.rights and found.access.role is not Role.spectator


async def on_map(
    session: AsyncSession, user: User, map_id: UUID, operation: str, as_id: UUID | None = None
) -> list[Found]:
    """The tokens on a map that the user sees; for game masters with `as_id`, those that this member sees.

    The transaction from here on sees one state of the database: where tokens stand, and what is seen of them.

    Raises:
        NotFound, Forbidden, Unprocessable: as `maps.get` does.
    """
    await fogged.snapshot(session)
    found = await maps.get(session, user, map_id, operation, with_grid=False, as_id=as_id)
    view = await fogged.view_of(session, found, found.access.universe.event_seq) if found.has_fog else None
    return await seen(session, found.row, await tokens.of_map(session, found.access, map_id), view)


async def _seen(session: AsyncSession, home: Access, ground: Map, found: Found) -> Piece:
    is_there = ground.is_published or home.is_game_master
    if not is_there or not await seen(session, ground, [found]):
        raise NotFound
    return Piece(found, ground)


async def get(session: AsyncSession, user: User, token_id: UUID, operation: str) -> Piece:
    """A token that the user sees.

    Raises:
        NotFound: there is none such for this user.
        Forbidden: they may not do this operation in its universe.
    """
    its_map = (col(Map.universe_id) == col(Token.universe_id)) & (col(Map.id) == col(Token.map_id))
    statement = tokens.with_character().add_columns(Map).join(Map, its_map).where(col(Token.id) == token_id)
    row: Any = (await session.execute(statement.options(*maps.WITHOUT_GRID))).one_or_none()
    home = (await access.find(session, user, [row[0].universe_id])).get(row[0].universe_id) if row else None
    if row is None or home is None:
        raise NotFound
    piece = await _seen(session, home, row[2], Found.of(row[0], home, row[1]))
    home.require(operation)
    return piece


async def get_to_act(session: AsyncSession, user: User, token_id: UUID, operation: str) -> Piece:
    """A token that the user may act for.

    Raises:
        NotFound: there is none such for this user.
        Forbidden: they may not do this operation with it.
    """
    piece = await get(session, user, token_id, operation)
    if Right.act not in piece.found.rights:
        raise Forbidden
    return piece


async def get_to_change(session: AsyncSession, user: User, token_id: UUID, operation: str) -> Piece:
    """A token that the user may act for; its universe is locked until the transaction ends.

    Raises:
        NotFound: there is none such for this user.
        Forbidden: they may not do this operation with it.
    """
    universe_id = (await get(session, user, token_id, operation)).ground.universe_id
    home = (await access.lock(session, user, {universe_id: operation}))[universe_id]
    found = await tokens.now(session, home, token_id)
    piece = await _seen(session, home, await _ground(session, universe_id, found.row.map_id), found)
    if Right.act not in found.rights:
        raise Forbidden
    return piece


async def _ground(session: AsyncSession, universe_id: UUID, map_id: UUID) -> Map:
    """A map of a locked universe as it is under the lock; without its grid, unless it has or had fog.

    Raises:
        NotFound: it is gone.
    """
    here = col(Map.universe_id) == universe_id, col(Map.id) == map_id
    statement = select(Map).where(*here).options(*maps.WITHOUT_GRID)
    row = (await session.execute(statement.execution_options(populate_existing=True))).scalar_one_or_none()
    if row is None:
        raise NotFound
    is_watched = row.has_fog or row.scene_key is not None
    return await with_grid(session, row) if is_watched else row


async def with_grid(session: AsyncSession, row: Map) -> Map:
    """A map with its grid, which is read unless it is there already."""
    state: Any = inspect(row)
    if "grid_data" not in state.unloaded:
        return row
    here = col(Map.universe_id) == row.universe_id, col(Map.id) == row.id
    return (await session.execute(select(Map).where(*here).execution_options(populate_existing=True))).scalar_one()


async def _grid_type(session: AsyncSession, ground: Map) -> GridType:
    here = col(Map.universe_id) == ground.universe_id, col(Map.id) == ground.id
    column: Any = col(Map.grid_data)["grid_type"]
    found: GridType | None = (await session.execute(select(column).where(*here))).scalar_one()
    return found or "square"


async def create(session: AsyncSession, user: User, map_id: UUID, fields: Mapping[str, Any]) -> Found:
    """A new token on a map.

    Raises:
        NotFound, Forbidden: there is no such map for this user, or they may create none on it.
        TooManyTokens, Unprocessable, QuotaExceeded: as `tokens.queries.create` does.
    """
    universe_id = (await maps.get(session, user, map_id, "createToken", with_grid=False)).row.universe_id
    home = (await access.lock(session, user, {universe_id: "createToken"}))[universe_id]
    ground = await _ground(session, universe_id, map_id)
    grid_type = await _grid_type(session, ground)
    async with fog.watch(session, ground):
        return await tokens.create(session, home, ground, grid_type, fields)


async def change(session: AsyncSession, piece: Piece, fields: Mapping[str, Any]) -> Found:
    """Give fields of a token, whose universe is locked, new values.

    Raises:
        Forbidden: a field is for game masters.
        Unprocessable, QuotaExceeded: as `tokens.queries.change` does.
    """
    found, ground = piece
    if not found.access.is_game_master and fields.keys() - _ACTING:
        names = ", ".join(sorted(_ACTING))
        raise Forbidden(f"With the right `act` you may change {names}. The other fields are for game masters.")
    grid_type = await _grid_type(session, ground)
    async with fog.watch(session, ground) if fields.keys() & _SEEN_WITH else nullcontext():
        return await tokens.change(session, found, ground, grid_type, fields)


async def remove(session: AsyncSession, piece: Piece) -> None:
    """Delete a token, whose universe is locked."""
    async with fog.watch(session, piece.ground):
        await tokens.remove(session, piece.found, piece.ground)
