"""Moves of tokens: planned on the map as the mover knows it, without a lock, then carried out under the lock."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.models import User
from game.core.compute import Computing
from game.core.errors import Conflict, FieldError, Forbidden, Problem, Unprocessable
from game.fog import changes as fog
from game.fog.viewers import viewer_of
from game.fog.views import view_of
from game.grid import moves, paths
from game.grid.canvas import Steps
from game.grid.chunks import Frame
from game.grid.geometry import Cell, Grid, Point
from game.grid.moves import BadPath, Known, Move, MoveBlocked, Obstruction
from game.grid.paths import Path, Walker
from game.grid.player_view import EVERY_SYMBOL, players_document
from game.grid.vision import anchor, cells_a_side
from game.maps import queries as maps
from game.maps.chunks import follow
from game.maps.loading import frame_of, loader
from game.maps.models import Map
from game.play import tokens, work
from game.play.models import MoveRequest
from game.play.queries import grid_of
from game.play.tokens import TokenOnMap
from game.play.work import UnfoggedMap
from game.tokens.changes import set_position
from game.tokens.models import json_number
from game.tokens.positions import MapRow, position_payload, require_place
from game.universes.access import Access

SMALL_CELLS = 4096
"""The maximum size of a map, in cells, whose paths are searched here and not in a compute process."""


_MAX_SEARCHED = 4096
"""The maximum number of cells of a path that was searched: all of them are in the event, and with fog what
is seen from each is computed."""
_LOCKED_BUDGET = 20_000
"""The maximum number of cells that a search may examine while other writes wait."""


class Standing(Protocol):
    """The position and the size, in cells per side, of a token."""

    @property
    def x(self) -> float: ...  # noqa: D102

    @property
    def y(self) -> float: ...  # noqa: D102

    @property
    def size(self) -> float: ...  # noqa: D102


class Board(MapRow, Protocol):
    """A map with its grid."""

    version: int
    grid_data: dict[str, Any]


class Blocked(Conflict):
    """Something that you know of is in the way. The token did not move."""

    code = "MOVE_BLOCKED"


class NoKnownPath(Conflict):
    """You know no path to that place. The token did not move."""

    code = "NO_PATH"


class Plan(NamedTuple):
    """The path of a token, with the map's version and the position for which it was found, or the reason why there
    is none."""

    path: Sequence[Point]
    version: int
    start: Point
    problem: Problem | None = None


async def plan_move(
    session: AsyncSession, computing: Computing, user: User, piece: TokenOnMap, request: MoveRequest
) -> Plan:
    """The path of a move to a cell, on the map as the user knows it; a given path is returned unchanged."""
    row, map_row = piece.found.row, piece.map_row
    start, version = (row.x, row.y), map_row.version
    if request.path is not None or request.force:
        return Plan(path_of(request), version, start)
    place: Point = (request.x, request.y)
    grid = await grid_of(session, map_row)
    try:
        require_place(map_row, grid.type, *place, row.size)
    except Unprocessable as problem:
        return Plan([], version, start, problem)
    path = await _search(session, computing, user, piece, *_ends(grid, row, place))
    return _plan_of(grid, path, place, version, start)


def path_of(request: MoveRequest) -> list[Point]:
    """The path in a request; with `force`, only its end."""
    return [(request.x, request.y)] if request.path is None else [(one.x, one.y) for one in request.path]


def _ends(grid: Grid, token: Standing, place: Point) -> tuple[Cell, Cell, Walker]:
    """The start, the destination and the walker of a path search."""
    start, goal = (anchor(grid.type, x, y, token.size) for x, y in ((token.x, token.y), place))
    return start, goal, Walker(cells_a_side(grid.type, token.size))


def _plan_of(grid: Grid, path: Path, place: Point, version: int, start: Point) -> Plan:
    if not path.found:
        return Plan([], version, start, NoKnownPath(f"The token did not move: {path.reason}."))
    if len(path.cells) > _MAX_SEARCHED:
        reason = f"the cheapest path has more than {_MAX_SEARCHED:,} cells"
        return Plan([], version, start, NoKnownPath(f"The token did not move: {reason}."))
    return Plan([*path.cells[1:], place] if grid.type == "none" else path.cells, version, start)


async def _search(
    session: AsyncSession,
    computing: Computing,
    user: User,
    piece: TokenOnMap,
    start: Cell,
    goal: Cell,
    walker: Walker,
) -> Path:
    map_row, caller = piece.map_row, piece.found.access
    size = map_row.width, map_row.height
    if map_row.width * map_row.height <= SMALL_CELLS or (map_row.has_fog and not caller.is_game_master):
        row = await tokens.with_grid(session, map_row)
        known = await _known(session, row, caller)
        steps = known.through(paths.find(known.frame, *size, start, goal, walker))
        return await follow(session, row, steps, large=map_row.width * map_row.height > SMALL_CELLS)
    found = maps.Found(map_row, caller)
    seen = UnfoggedMap(await frame_of(session, found), not caller.is_game_master)
    await session.close()
    load = loader(session, map_row)
    return await computing.run(user.id, work.find_path, seen, start, goal, walker, load=load)


async def _known(session: AsyncSession, row: Map, caller: Access) -> Known:
    """A map with its grid, as a member knows it."""
    if caller.is_game_master:
        return Known(row.grid_data)
    if not row.has_fog:
        return Known(players_document(row.grid_data, EVERY_SYMBOL).frame)
    return (await view_of(session, row, viewer_of(row.fog_sharing, caller.user.id))).fogged.known


async def move(
    session: AsyncSession, piece: TokenOnMap, request: MoveRequest, plan: Plan | None
) -> dict[str, Any]:
    """Move a token in a locked universe along a planned path, or plan it here; returns the response.

    Raises:
        Forbidden: `force` is for game masters.
        Unprocessable: the path is invalid.
        Blocked, NoKnownPath: the mover knows that something is in the way.
    """
    found, map_row = piece
    if request.force and not found.access.is_game_master:
        raise Forbidden("Only game masters may use `force`.")
    token, row = found.row, await tokens.with_grid(session, map_row)
    is_large = row.width * row.height > SMALL_CELLS
    known = None if request.force else await _known(session, row, found.access)
    if known is not None and request.path is None:
        if plan is None or (plan.version, plan.start) != (row.version, (token.x, token.y)):
            steps = search_path(row, token, (request.x, request.y), known, _LOCKED_BUDGET)
            plan = await follow(session, row, steps, large=is_large)
    elif plan is None:
        plan = Plan(path_of(request), row.version, (token.x, token.y))
    if plan.problem is not None:
        raise plan.problem
    priced = players_document(row.grid_data, EVERY_SYMBOL).frame
    done = await follow(session, row, check_move(row, token, request, plan.path, known, priced))
    seq = await _put(session, piece, row, done) if has_moved(token, done) else None
    stopped = await _stopped(session, row, found.access, done)
    version = token.version if found.access.is_game_master else None
    return move_response(done, stopped, version, seq)


def search_path(
    row: Board, token: Standing, place: Point, known: Known, budget: int = paths.BUDGET
) -> Steps[Plan]:
    """The path of a token to a cell, on the map as the mover knows it; `budget` limits the search.

    Raises:
        Unprocessable: the token does not fit there.
    """
    grid = Grid.of(row.grid_data)
    require_place(row, grid.type, *place, token.size)
    find = paths.find(known.frame, row.width, row.height, *_ends(grid, token, place), budget)
    path = yield from known.through(find)
    return _plan_of(grid, path, place, row.version, (token.x, token.y))


def check_move(
    row: Board, token: Standing, request: MoveRequest, path: Sequence[Point], known: Known | None, priced: Frame
) -> Steps[Move]:
    """A token's move along a path; with `force`, without `known`, directly to its end.

    `priced` is the map's frame as players get it.

    Raises:
        Unprocessable: the path is invalid.
        Blocked: the mover knows that something is in the way.
    """
    grid = Grid.of(row.grid_data)
    for index, position in enumerate(path):
        _require_cell(grid, position, "path" if request.path is None else f"path[{index}]")
    if known is None:
        return _forced(row, grid, token, path)
    place = moves.Token(token.x, token.y, token.size)
    size, max_cells = (row.width, row.height), None if request.path is None else moves.MAX_PATH
    try:
        return (yield from moves.move_along(row.grid_data, *size, place, path, known, priced, max_cells=max_cells))
    except MoveBlocked as error:
        raise Blocked(**error.obstruction.as_json()) from None
    except BadPath as error:
        message = f"{str(error)[:1].upper()}{str(error)[1:]}."
        raise Unprocessable(errors=[FieldError(f"path[{error.index}]", "not_a_path", message)]) from None


def has_moved(token: Standing, done: Move) -> bool:
    """Whether a move must be written, which includes one that ends where it began, because it explores the fog."""
    return len(done.cells) > 1 or (done.x, done.y) != (token.x, token.y)


def path_payload(done: Move) -> dict[str, Any]:
    """The payload of a move's event without the position."""
    return {"cells": [{"x": x, "y": y} for x, y in done.cells], "cost": json_number(done.cost)}


def move_response(done: Move, stopped: Obstruction | None, version: int | None, seq: int | None) -> dict[str, Any]:
    """The response to a move (see `MoveRead`). `version` and `seq` are for game masters: the token's new version,
    and the number of the event, if there is one; None for others."""
    answer = {**position_payload(done.x, done.y), **path_payload(done), "stopped": stopped and stopped.as_json()}
    if version is not None:
        answer["version"] = version
        if seq is not None:
            answer["seq"] = seq
    return answer


def _require_cell(grid: Grid, place: Point, field: str) -> None:
    if grid.type != "none" and not all(float(one).is_integer() for one in place):
        error = FieldError(field, "not_whole", "Positions must be whole numbers, because this map has a grid.")
        raise Unprocessable(errors=[error])


def _forced(row: Board, grid: Grid, token: Standing, path: Sequence[Point]) -> Move:
    x, y = path[-1] if path else (token.x, token.y)
    require_place(row, grid.type, x, y, token.size)
    cells = [anchor(grid.type, *place, token.size) for place in ((token.x, token.y), (x, y))]
    return Move(x, y, cells if cells[0] != cells[1] else cells[:1], 0)


async def _put(session: AsyncSession, piece: TokenOnMap, row: Map, done: Move) -> int:
    """Store the new position of a token, and what was seen along the path."""
    is_watched = row.has_fog or row.scene_key is not None
    async with fog.watch(session, row) if is_watched else nullcontext() as tracker:
        seq = await set_position(session, piece.found, row, "token.moved", done.x, done.y, path_payload(done))
        if tracker is not None:
            tracker.add_path(piece.found.row.id, done.cells)
    return seq


async def _stopped(session: AsyncSession, row: Map, caller: Access, done: Move) -> Obstruction | None:
    """What stopped a move, as the mover sees it now."""
    if done.stopped is None:
        return None
    doors: Sequence[Any] = ()
    if done.blocker is not None:
        frame = (await _known(session, row, caller)).frame
        doors = frame.get("doors", ())
    return done.named(doors)
