"""Tokens with their maps: finding those that a caller sees, and changing them."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.accounts.models import User
from game.core.database import snapshot
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
from game.tokens import changes
from game.tokens import queries as tokens
from game.tokens.models import Token
from game.tokens.queries import Found
from game.universes import access
from game.universes.access import Access

_ACTING = frozenset({"name", "color", "rotation", "elevation", "conditions", "bars"})
"""The fields that players with the right `act` may change."""

_SEEN_WITH = frozenset({"x", "y", "size", "sight", "light", "hidden", "grants", "character_id"})
"""The fields that determine what is seen through a token, and who sees it."""


class TokenOnMap(NamedTuple):
    """A token that the caller sees, and its map without the grid."""

    found: Found
    map_row: Map

    @property
    def role(self) -> Role:
        """The caller's role in its universe."""
        return self.found.access.role


async def seen(
    session: AsyncSession, map_row: Map, found: list[Found], view: MapView | None = None
) -> list[Found]:
    """The tokens among `found` that the caller sees; under fog, those on a cell in sight.

    `view` is what the caller sees of the map, if it is already known.
    """
    shown = [one for one in found if one.is_shown]
    if not map_row.has_fog or all(map(_is_in_own_sight, shown)):
        return shown
    if view is None:
        viewer = viewer_of(map_row.fog_sharing, shown[0].access.user.id)
        view = await view_of(session, await with_grid(session, map_row), viewer)
    return in_view(shown, view)


def in_view(found: list[Found], view: MapView | None) -> list[Found]:
    """The tokens among `found` that the caller sees; `view` is what they see of a map with fog."""
    shown = [one for one in found if one.is_shown]
    if view is None:
        return shown
    return [one for one in shown if _is_in_own_sight(one) or view.shows(one.row.x, one.row.y, one.row.size)]


def _is_in_own_sight(found: Found) -> bool:
    """Whether the caller sees through the token, and therefore the token. Spectators do not see for a party."""
    return Right.sight in found.rights and found.access.role is not Role.spectator


async def on_map(
    session: AsyncSession, user: User, map_id: UUID, operation: str, as_id: UUID | None = None
) -> list[Found]:
    """The tokens on a map that the user sees; for game masters with `as_id`, those that this member sees.

    The rest of the transaction is a snapshot of the database, so that the positions of tokens match the fog.

    Raises:
        NotFound, Forbidden, Unprocessable: as `maps.get` does.
    """
    await snapshot(session)
    found = await maps.get(session, user, map_id, operation, with_grid=False, as_id=as_id)
    view = await fogged.view_of(session, found, found.access.universe.event_seq) if found.has_fog else None
    return await seen(session, found.row, await tokens.of_map(session, found.access, map_id), view)


async def _seen(session: AsyncSession, caller: Access, map_row: Map, found: Found) -> TokenOnMap:
    is_there = map_row.is_published or caller.is_game_master
    if not is_there or not await seen(session, map_row, [found]):
        raise NotFound
    return TokenOnMap(found, map_row)


async def get(session: AsyncSession, user: User, token_id: UUID, operation: str) -> TokenOnMap:
    """A token that the user sees.

    Raises:
        NotFound: there is none such for this user.
        Forbidden: they may not do this operation in its universe.
    """
    its_map = (col(Map.universe_id) == col(Token.universe_id)) & (col(Map.id) == col(Token.map_id))
    statement = tokens.with_character().add_columns(Map).join(Map, its_map).where(col(Token.id) == token_id)
    row: Any = (await session.execute(statement.options(*maps.WITHOUT_GRID))).one_or_none()
    caller = (await access.find(session, user, [row[0].universe_id])).get(row[0].universe_id) if row else None
    if row is None or caller is None:
        raise NotFound
    piece = await _seen(session, caller, row[2], Found.of(row[0], caller, row[1]))
    caller.require(operation)
    return piece


async def get_to_act(session: AsyncSession, user: User, token_id: UUID, operation: str) -> TokenOnMap:
    """A token that the user may act for.

    Raises:
        NotFound: there is none such for this user.
        Forbidden: they may not do this operation with it.
    """
    piece = await get(session, user, token_id, operation)
    if Right.act not in piece.found.rights:
        raise Forbidden
    return piece


async def get_to_change(session: AsyncSession, user: User, token_id: UUID, operation: str) -> TokenOnMap:
    """A token that the user may act for; its universe is locked until the transaction ends.

    Raises:
        NotFound: there is none such for this user.
        Forbidden: they may not do this operation with it.
    """
    universe_id = (await get(session, user, token_id, operation)).map_row.universe_id
    caller = (await access.lock(session, user, {universe_id: operation}))[universe_id]
    found = await tokens.reload(session, caller, token_id)
    piece = await _seen(session, caller, await _locked_map(session, universe_id, found.row.map_id), found)
    if Right.act not in found.rights:
        raise Forbidden
    return piece


async def _locked_map(session: AsyncSession, universe_id: UUID, map_id: UUID) -> Map:
    """A map of a locked universe, locked and read again; without its grid, unless it has or had fog.

    Raises:
        NotFound: it is gone.
    """
    by_id = col(Map.universe_id) == universe_id, col(Map.id) == map_id
    statement = select(Map).where(*by_id).options(*maps.WITHOUT_GRID)
    row = (await session.execute(statement.execution_options(populate_existing=True))).scalar_one_or_none()
    if row is None:
        raise NotFound
    is_watched = row.has_fog or row.scene_key is not None
    return await with_grid(session, row) if is_watched else row


async def with_grid(session: AsyncSession, row: Map) -> Map:
    """A map with its grid, which is loaded if necessary."""
    state: Any = inspect(row)
    if "grid_data" not in state.unloaded:
        return row
    return await session.get_one(Map, (row.universe_id, row.id), populate_existing=True)


async def _grid_type(session: AsyncSession, map_row: Map) -> GridType:
    by_id = col(Map.universe_id) == map_row.universe_id, col(Map.id) == map_row.id
    column: Any = col(Map.grid_data)["grid_type"]
    found: GridType | None = (await session.execute(select(column).where(*by_id))).scalar_one()
    return found or "square"


async def create(session: AsyncSession, user: User, map_id: UUID, fields: Mapping[str, Any]) -> Found:
    """Create a token on a map.

    Raises:
        NotFound, Forbidden: the user may not see the map, or may not create tokens on it.
        TooManyTokens, Unprocessable, QuotaExceeded: as `tokens.changes.create` does.
    """
    universe_id = (await maps.get(session, user, map_id, "createToken", with_grid=False)).row.universe_id
    caller = (await access.lock(session, user, {universe_id: "createToken"}))[universe_id]
    map_row = await _locked_map(session, universe_id, map_id)
    grid_type = await _grid_type(session, map_row)
    async with fog.watch(session, map_row):
        return await changes.create(session, caller, map_row, grid_type, fields)


async def change(session: AsyncSession, piece: TokenOnMap, fields: Mapping[str, Any]) -> Found:
    """Set fields of a token whose universe is locked.

    Raises:
        Forbidden: a field is for game masters.
        Unprocessable, QuotaExceeded: as `tokens.changes.change` does.
    """
    found, map_row = piece
    if not found.access.is_game_master and fields.keys() - _ACTING:
        names = ", ".join(sorted(_ACTING))
        raise Forbidden(f"With the right `act` you may change {names}. The other fields are for game masters.")
    grid_type = await _grid_type(session, map_row)
    async with fog.watch(session, map_row) if fields.keys() & _SEEN_WITH else nullcontext():
        return await changes.change(session, found, map_row, grid_type, fields)


async def remove(session: AsyncSession, piece: TokenOnMap) -> None:
    """Delete a token whose universe is locked."""
    async with fog.watch(session, piece.map_row):
        await changes.remove(session, piece.found, piece.map_row)
