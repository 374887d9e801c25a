"""Fast moves: one statement reads the data without locks, Python decides, and one statement writes the result.

That statement locks the universe, and writes only if the number of its last event is still the one that was read:
every write to a universe is an event, so nothing has changed meanwhile. Otherwise everything is read again. Rules
and events are those of `game.play.moves` and `game.tokens`; the endpoint handles refused and unusual moves.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, NamedTuple
from uuid import UUID
from weakref import WeakValueDictionary

import asyncpg
import orjson
from pydantic import ValidationError
from starlette.types import Scope

from game.accounts.queries import AUTHENTICATED
from game.core.coalescer import HotStatement
from game.core.errors import Problem
from game.core.hot import HotResponse, HotWork
from game.core.idempotency import Claim, compress_small
from game.events.hints import Hint
from game.events.queries import Written
from game.events.unchanged import LOCK_UNIVERSE, RESULT, UPDATE_UNIVERSE, statement, write
from game.fog.queries import PIECES, Changes
from game.fog.sights import follow
from game.grants import Right
from game.grid.moves import Known, Move
from game.permissions import GAME_MASTERS, Role, may
from game.play import moves
from game.play.boards import Board, Changed, TooMuch, board_of
from game.play.hot_fog import FogState
from game.play.models import MoveRequest
from game.tokens.positions import position_payload
from game.tokens.queries import as_json, rights_of
from game.tokens.recipients import Shared, State, shared_part
from game.universes.access import MEMBER_OF
from game.universes.quotas import Usage

_TRIES: Final = 4
"""The number of attempts before the endpoint handles a move, which locks the universe first."""
_MAX_PUT: Final = 64
"""The maximum number of chunks of memory that one statement writes."""
_LARGE_BYTES: Final = 64 * 2**10
"""The size of a stored frame, in bytes, from which it is not parsed here."""

_PIECES = PIECES.format(universe_id="mine.universe_id", map_id="mine.map_id")
_READ = HotStatement(f"""
    SELECT q.n, a.id AS user_id, mb.role, u.event_seq, u.is_full, u.map_bytes, u.event_bytes,
        q.key IS NOT NULL AND EXISTS (
            SELECT FROM idempotency_key used WHERE used.user_id = a.id AND used.key = q.key
        ) AS is_repeated,
        mine.universe_id, mine.map_id, mine.x, mine.y, mine.size, mine.hidden, mine.grants, mine.version,
        its.grants AS character_grants,
        m.visibility, m.fog, m.fog_sharing, m.lighting, m.scene_key, m.width, m.height,
        m.version AS map_version, m.updated_at, pg_column_size(m.grid_data) AS grid_bytes,
        CASE WHEN mine.hidden OR m.scene_key IS NOT NULL THEN (
            SELECT jsonb_object_agg(other.user_id, other.role) FROM member other WHERE other.universe_id = u.id
        ) END AS members,
        CASE WHEN m.scene_key IS NOT NULL THEN (
            SELECT json_agg(piece) FROM ({_PIECES}) piece
        ) END AS pieces
    {AUTHENTICATED.format(more_types=", $3::uuid[], $4::text[]", more_names=", id, key")}
    JOIN token mine ON mine.id = q.id
    {MEMBER_OF} mine.universe_id
    JOIN universe u ON u.id = mine.universe_id
    JOIN map m ON m.universe_id = mine.universe_id AND m.id = mine.map_id
    LEFT JOIN character its ON its.universe_id = mine.universe_id AND its.id = mine.character_id
""")
WRITTEN = statement(f"""
    WITH request AS MATERIALIZED (
        SELECT * FROM unnest(
            $1::uuid[], $2::bigint[], $3::uuid[], $4::uuid[], $5::float[], $6::float[],
            $7::jsonb[], $8::jsonb[], $9::jsonb[], $10::text[], $11::bigint[],
            $12::uuid[], $13::jsonb[], $14::jsonb[], $15::text[], $16::bigint[], $17::bytea[], $18::bytea[],
            $19::text[], $20::boolean[]
        ) WITH ORDINALITY AS q (
            universe_id, seq, actor_id, token_id, x, y, payload, before, shared, audience, bytes,
            map_id, wholes, chunks, key, lock, fingerprint, answer, role, is_heard, n
        )
    ), {LOCK_UNIVERSE}, with_key_lock AS MATERIALIZED (
        SELECT * FROM unchanged WHERE key IS NULL OR pg_try_advisory_xact_lock(lock)
    ), stored_key AS (
        INSERT INTO idempotency_key (user_id, key, fingerprint, status, headers, body, role, expires_at)
        SELECT actor_id, key, fingerprint, 200, '{{"content-type": "application/json"}}', answer,
            role, now() + interval '24 hours'
        FROM with_key_lock WHERE key IS NOT NULL
        ON CONFLICT (user_id, key) DO NOTHING
        RETURNING user_id, key
    ), accepted AS MATERIALIZED (
        SELECT with_key_lock.* FROM with_key_lock
        LEFT JOIN stored_key ON stored_key.user_id = actor_id AND stored_key.key = with_key_lock.key
        WHERE with_key_lock.key IS NULL OR stored_key.key IS NOT NULL
    ), updated_token AS (
        UPDATE token t
        SET x = accepted.x, y = accepted.y, version = t.version + 1, updated_at = statement_timestamp()
        FROM accepted WHERE t.universe_id = accepted.universe_id AND t.id = accepted.token_id
    ), {UPDATE_UNIVERSE}, logged_event AS (
        INSERT INTO event (
            universe_id, seq, actor_id, kind, subject_id, payload, before, audience, shared, created_at
        )
        SELECT universe_id, seq + 1, actor_id, 'token.moved', token_id, payload, before, audience::uuid[], shared,
            clock_timestamp()
        FROM accepted
        RETURNING *
    ), stored_memory AS (
        INSERT INTO map_memory (universe_id, map_id, viewer_id, whole)
        SELECT universe_id, map_id, (one->>0)::uuid, (one->>1)::jsonb
        FROM accepted, jsonb_array_elements(wholes) AS one
        ON CONFLICT (universe_id, map_id, viewer_id) DO UPDATE SET whole = excluded.whole
    ), stored_chunks AS (
        INSERT INTO map_memory_chunk (universe_id, map_id, viewer_id, x, y, explored, differs)
        SELECT universe_id, map_id, (one->>0)::uuid, (one->>1)::int, (one->>2)::int, decode(one->>3, 'hex'),
            (one->>4)::jsonb
        FROM accepted, jsonb_array_elements(chunks) AS one
        ON CONFLICT (universe_id, map_id, viewer_id, x, y)
            DO UPDATE SET explored = excluded.explored, differs = excluded.differs
    )
    {RESULT}
""")


class _MoveQuery(NamedTuple):
    """A request to move a token: as it was sent, and parsed."""

    scope: Scope
    body: bytes
    move: MoveRequest


def _parameters(scope: Scope, body: bytes) -> tuple[UUID, _MoveQuery] | None:
    """The token and the parsed request; None if it is invalid."""
    try:
        given = orjson.loads(body)
        request = MoveRequest.model_validate(given)
        # There is one colon for each pair, so there are no duplicate keys, which the parser would not report.
        is_plain = body.count(b":") == len(given) + 2 * len(given.get("path", ()))
    except (ValueError, ValidationError):
        return None
    return (UUID(scope["path_params"]["id"]), _MoveQuery(scope, body, request)) if is_plain else None


class _Standing(NamedTuple):
    x: float
    y: float
    size: float


class _Snapshot(NamedTuple):
    """The caller, the token and the map, in the state after event `seq`."""

    user_id: UUID
    role: Role
    seq: int
    universe_id: UUID
    map_id: UUID
    token_id: UUID
    token: _Standing
    version: int
    state: State
    row: asyncpg.Record

    @classmethod
    def of(cls, row: asyncpg.Record, token_id: UUID) -> "_Snapshot":
        grants, character_grants = orjson.loads(row["grants"]), orjson.loads(row["character_grants"] or "{}")
        return cls(
            row["user_id"],
            Role(row["role"]),
            row["event_seq"],
            row["universe_id"],
            row["map_id"],
            token_id,
            _Standing(row["x"], row["y"], row["size"]),
            row["version"],
            # Its bars do not change.
            State(row["hidden"], grants, character_grants, ()),
            row,
        )

    @property
    def is_game_master(self) -> bool:
        return self.role in GAME_MASTERS

    def may_move(self, request: MoveRequest) -> bool:
        """Whether the caller may certainly move the token; False if the endpoint has to decide."""
        if self.is_game_master:
            return True
        rights = rights_of(self.state.grants, self.state.character_grants, self.user_id, self.role)
        # A member who acts for a token also sees what it sees, and so the token itself.
        is_theirs = may("moveToken", self.role) and Right.act in rights
        return is_theirs and self.row["visibility"] == "members" and not request.force

    def is_quick(self, request: MoveRequest) -> bool:
        """Whether a move is so cheap to decide that it does not delay other requests."""
        is_search = request.path is None and not request.force
        cells = self.row["width"] * self.row["height"] if is_search else 0
        return bool(self.row["grid_bytes"] < _LARGE_BYTES and cells <= moves.SMALL_CELLS)

    def members(self) -> dict[UUID, Role]:
        """The members of the universe; read only for a hidden token, or a map that has or had fog."""
        found = orjson.loads(self.row["members"] or "{}")
        return {UUID(one): Role(role) for one, role in found.items()}


class _Conflict(Exception):
    """The universe has changed since the snapshot."""


_contended: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
"""A lock for each universe whose moves conflicted; they are decided one after the other."""


async def _run(
    state: Any, session_id: UUID, user_id: UUID, token_id: UUID, query: _MoveQuery
) -> tuple[HotResponse, Hint | None] | None:
    if state.hot is None:
        return None
    try:
        claim = Claim.of(query.scope, query.body, user_id)
    except ValueError:
        return None
    lock = asyncio.Lock()
    for _ in range(_TRIES):
        async with lock:
            row = await state.hot.fetch(_READ, session_id, user_id, token_id, claim and claim.key)
            if row is None or row["is_repeated"]:
                return None
            snapshot = _Snapshot.of(row, token_id)
            try:
                return await _move(state, snapshot, query, claim)
            except (_Conflict, Changed):
                pass
            except (Problem, TooMuch):
                return None
        lock = _contended.setdefault(snapshot.universe_id, asyncio.Lock())
    return None


async def _move(
    state: Any, snapshot: _Snapshot, query: _MoveQuery, claim: Claim | None
) -> tuple[HotResponse, Hint | None] | None:
    row, request = snapshot.row, query.move
    # A map whose fog was just switched on has no memories yet.
    is_plain = row["fog"] == "off" or row["scene_key"] is not None
    if not (snapshot.may_move(request) and snapshot.is_quick(request) and is_plain):
        return None
    board = await board_of(state.hot, snapshot.universe_id, snapshot.map_id, row["map_version"], row["updated_at"])
    members = snapshot.members()
    fog = None if row["scene_key"] is None else FogState(state.hot, board, row, members)
    done = await _decide(state, snapshot, board, fog, request)
    has_moved = moves.has_moved(snapshot.token, done)
    if claim is not None and not has_moved:
        # The key is stored only if something is written.
        return None
    changes = Changes({}, [], [])
    if has_moved and fog is not None:
        changes = await fog.changes_of_move(snapshot.token_id, done)
    if snapshot.is_game_master:
        doors = board.grid_data.get("doors", ())
    else:
        doors = board.players.get("doors", ()) if fog is None or row["fog"] == "off" else fog.doors()
    version = snapshot.version + has_moved if snapshot.is_game_master else None
    answer = as_json(
        moves.move_response(done, done.named(doors), version, snapshot.seq + 1 if has_moved else None)
    )
    hint = None
    if has_moved:
        stored: tuple[Any, ...] = (None, None, None, None, None)
        if claim is not None:
            stored = *claim, compress_small(answer, query.body), snapshot.role
        hint = await _write(state, snapshot, board, members, done, changes, stored)
    return HotResponse(answer), hint


async def _decide(
    state: Any, snapshot: _Snapshot, board: Board, fog: FogState | None, request: MoveRequest
) -> Move:
    """Decide a move."""
    load = partial(board.load, state.hot)
    path: Any = None if request.path is None and not request.force else moves.path_of(request)
    known = Known(board.grid_data if snapshot.is_game_master else board.players)
    if fog is not None:
        await fog.load_near(snapshot.token_id, path)
        if board.fog != "off" and not snapshot.is_game_master:
            known = fog.known(snapshot.token_id, path)
    if path is None:
        plan = await follow(moves.search_path(board, snapshot.token, (request.x, request.y), known), load)
        if plan.problem is not None:
            raise plan.problem
        path = plan.path
    walk = moves.check_move(board, snapshot.token, request, path, None if request.force else known, board.players)
    return await follow(walk, load)


async def _write(
    state: Any,
    snapshot: _Snapshot,
    board: Board,
    members: Mapping[UUID, Role],
    done: Move,
    changes: Changes,
    stored: tuple[Any, ...],
) -> Hint:
    """Write a move; returns the hint to announce.

    `stored` is its key with lock, fingerprint, stored response and the role that it is for; all of them are None
    without a key.

    Raises:
        _Conflict: something has changed meanwhile, and nothing was written.
        TooMuch: the quota may be exceeded, or it writes more than a fast move may.
    """
    payload = {
        "map_id": snapshot.map_id,
        **position_payload(done.x, done.y),
        **moves.path_payload(done),
        "version": snapshot.version + 1,
    }
    before = position_payload(snapshot.token.x, snapshot.token.y)
    readers = [(one, role) for one, role in members.items() if role not in GAME_MASTERS]
    shared = shared_part(board, payload, snapshot.state, snapshot.state, readers) or Shared()
    event = Written.of("token.moved", payload, before, shared.payload)
    used = Usage(maps=snapshot.row["map_bytes"], events=snapshot.row["event_bytes"])
    has_room = state.quotas.plainly_has_room(used, Usage(events=event.size), is_full=snapshot.row["is_full"])
    if not has_room or changes.gone or len(changes.put) > _MAX_PUT:
        raise TooMuch
    audience = None if shared.audience is None else f"{{{','.join(map(str, shared.audience))}}}"
    chunks = [(str(viewer), x, y, cells.hex(), differs) for viewer, x, y, cells, differs in changes.put]
    wholes = [(str(viewer), whole) for viewer, whole in changes.wholes.items()]
    hint = await write(
        state.hot_writes,
        WRITTEN,
        snapshot.universe_id,
        snapshot.seq,
        snapshot.user_id,
        snapshot.token_id,
        float(done.x),
        float(done.y),
        event.payload,
        event.before,
        event.shared,
        audience,
        event.size,
        snapshot.map_id,
        orjson.dumps(wholes).decode(),
        orjson.dumps(chunks).decode(),
        *stored,
        state.live.has_listeners,
    )
    if hint is None:
        raise _Conflict
    return hint


MOVE = HotWork(_parameters, _run)
