"""The SQL of fog: the tokens on a map, and what its viewers remember of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Integer, LargeBinary, SmallInteger, Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from game import grants
from game.characters.token_defaults import sight as sight_of
from game.fog.viewers import Piece
from game.grants import Right
from game.grid.canvas import Loaded, Wanted
from game.grid.cell_sets import CHUNK_BYTES, ChunkXY
from game.grid.memory import NOTHING, Memory, pack, unpack
from game.permissions import Role

_ALL = b"\xff" * CHUNK_BYTES
_AT_ONCE = 1024
_NOTHING = pack(NOTHING)[1]

Packed = dict[ChunkXY, tuple[bytes, dict[str, Any] | None]]
MapKey = Mapping[str, UUID]
"""universe_id and map_id."""

_MEMBERS = text("SELECT user_id, role FROM member WHERE universe_id = :universe_id")
PIECES = """
    SELECT t.id, t.x, t.y, t.size, t.hidden, t.sight, t.light, t.grants, c.grants AS character_grants,
        c.sheet->'senses' AS senses,
        (SELECT m.grid_data->'cell_distance' FROM map m WHERE m.universe_id = {universe_id} AND m.id = {map_id})
            AS cell_distance
    FROM token t
    LEFT JOIN character c ON c.universe_id = t.universe_id AND c.id = t.character_id
    WHERE t.universe_id = {universe_id} AND t.map_id = {map_id}
    ORDER BY t.id
"""
"""The tokens on a map, for `piece_of`."""
_PIECES = text(PIECES.format(universe_id=":universe_id", map_id=":map_id"))
# The table is named in SQL, because its module must not be imported here.
_CELLS = text("""
    SELECT layer, x, y, rows FROM map_chunk
    WHERE universe_id = :universe_id AND map_id = :map_id
        AND (layer = ANY(:whole) OR (layer, x, y) IN (SELECT * FROM unnest(:layers, :xs, :ys)))
""").bindparams(
    *(bindparam(name, type_=ARRAY(Integer)) for name in ("whole", "layers")),
    *(bindparam(name, type_=ARRAY(SmallInteger)) for name in ("xs", "ys")),
)
_SEEN_BY = text("""
    SELECT id, universe_id, width, height, grid_data, fog, fog_sharing, lighting, scene_key, true
    FROM map m
    WHERE universe_id = :universe_id AND visibility = 'members' AND scene_key IS NOT NULL AND EXISTS (
        SELECT FROM token t
        LEFT JOIN character c ON c.universe_id = t.universe_id AND c.id = t.character_id
        WHERE t.universe_id = m.universe_id AND t.map_id = m.id
            AND (t.character_id = :cause_id OR t.grants ? :holder OR c.grants ? :holder)
    )
    ORDER BY id
""")
_WHOLES = text("""
    SELECT viewer_id, whole FROM map_memory
    WHERE universe_id = :universe_id AND map_id = :map_id AND viewer_id = ANY(:viewers)
""").bindparams(bindparam("viewers", type_=ARRAY(Uuid)))
MEMORIES = """
    (
        SELECT jsonb_agg(jsonb_build_array(w.viewer_id, w.whole)) FROM map_memory w
        WHERE w.universe_id = {universe_id} AND w.map_id = {map_id} AND w.viewer_id = ANY ({viewers})
    ) AS wholes, (
        SELECT jsonb_agg(jsonb_build_array(c.viewer_id, c.x, c.y, encode(c.explored, 'hex'), c.differs))
        FROM map_memory_chunk c
        WHERE c.universe_id = {universe_id} AND c.map_id = {map_id} AND c.viewer_id = ANY ({viewers})
            AND {chunks}
    ) AS chunks
"""
"""For the hot statements: what viewers remember of a map, for `Memories.take`."""
_VIEWERS = text("SELECT viewer_id FROM map_memory WHERE universe_id = :universe_id AND map_id = :map_id")
_CHUNKS = text("""
    SELECT viewer_id, x, y, explored, differs FROM map_memory_chunk
    WHERE universe_id = :universe_id AND map_id = :map_id AND viewer_id = ANY(:viewers)
        AND (:everything OR (x, y) IN (SELECT * FROM unnest(:xs, :ys)))
""").bindparams(
    bindparam("viewers", type_=ARRAY(Uuid)), *(bindparam(name, type_=ARRAY(SmallInteger)) for name in ("xs", "ys"))
)
_PUT_WHOLES = text("""
    INSERT INTO map_memory (universe_id, map_id, viewer_id, whole)
    SELECT :universe_id, :map_id, viewer_id, whole::jsonb FROM unnest(:viewers, :wholes) AS one (viewer_id, whole)
    ON CONFLICT (universe_id, map_id, viewer_id) DO UPDATE SET whole = excluded.whole
""").bindparams(bindparam("viewers", type_=ARRAY(Uuid)), bindparam("wholes", type_=ARRAY(Text)))
_PUT_CHUNKS = text("""
    INSERT INTO map_memory_chunk (universe_id, map_id, viewer_id, x, y, explored, differs)
    SELECT :universe_id, :map_id, viewer_id, x, y, explored, differs::jsonb
    FROM unnest(:viewers, :xs, :ys, :explored, :differs) AS one (viewer_id, x, y, explored, differs)
    ON CONFLICT (universe_id, map_id, viewer_id, x, y)
        DO UPDATE SET explored = excluded.explored, differs = excluded.differs
""").bindparams(
    bindparam("viewers", type_=ARRAY(Uuid)),
    bindparam("explored", type_=ARRAY(LargeBinary)),
    bindparam("differs", type_=ARRAY(Text)),
    *(bindparam(name, type_=ARRAY(SmallInteger)) for name in ("xs", "ys")),
)
_DROP_CHUNKS = text("""
    DELETE FROM map_memory_chunk m USING unnest(:viewers, :xs, :ys) AS gone (viewer_id, x, y)
    WHERE m.universe_id = :universe_id AND m.map_id = :map_id
        AND (m.viewer_id, m.x, m.y) = (gone.viewer_id, gone.x, gone.y)
""").bindparams(
    bindparam("viewers", type_=ARRAY(Uuid)), *(bindparam(name, type_=ARRAY(SmallInteger)) for name in ("xs", "ys"))
)
_DROP = text("""
    DELETE FROM map_memory WHERE universe_id = :universe_id AND map_id = :map_id AND viewer_id = ANY(:viewers)
""").bindparams(bindparam("viewers", type_=ARRAY(Uuid)))


async def members(session: AsyncSession, universe_id: UUID) -> dict[UUID, Role]:
    """The members of a universe, and their roles."""
    found = await session.execute(_MEMBERS, {"universe_id": universe_id})
    return {row.user_id: Role(row.role) for row in found}


async def pieces(session: AsyncSession, map_key: MapKey) -> dict[UUID, Piece]:
    """The tokens on a map, by id."""
    return {row[0]: piece_of(*row) for row in await session.execute(_PIECES, map_key)}


def piece_of(
    token_id: UUID,
    x: float,
    y: float,
    size: float,
    hidden: bool,
    sight: Any,
    light: Any,
    token_grants: dict[str, list[str]],
    character_grants: dict[str, list[str]] | None,
    senses: Any,
    cell_distance: Any,
) -> Piece:
    """A token from the columns of a row of `PIECES`."""
    sharers = grants.holders(token_grants, Right.sight)
    if character_grants:
        sharers |= grants.holders(character_grants, Right.sight)
    return Piece(token_id, x, y, size, hidden, sight or sight_of(senses, cell_distance), light, sharers)


async def cells(session: AsyncSession, map_key: MapKey, wanted: Wanted) -> Loaded:
    """The stored chunks of a map that a generator of steps needs."""
    layers, xs, ys = ([key[at] for key in wanted.chunks] for at in range(3))
    keys = {"whole": wanted.layers, "layers": layers, "xs": xs, "ys": ys}
    found = await session.execute(_CELLS, {**map_key, **keys})
    return {(row.layer, row.x, row.y): row.rows for row in found}


@dataclass
class StoredMap:
    """A stored map, with the data that matters for sight."""

    id: UUID
    universe_id: UUID
    width: int
    height: int
    grid_data: dict[str, Any]
    fog: str
    fog_sharing: str
    lighting: str
    scene_key: UUID | None
    is_published: bool


async def maps_seen_by(session: AsyncSession, universe_id: UUID, cause_id: UUID) -> list[StoredMap]:
    """The published maps that have or had fog, with tokens of a character, or with grants to a user."""
    asked = {"universe_id": universe_id, "cause_id": cause_id, "holder": str(cause_id)}
    return [StoredMap(*row) for row in await session.execute(_SEEN_BY, asked)]


async def viewers(session: AsyncSession, map_key: MapKey) -> list[UUID]:
    """The groups that have a memory of a map."""
    return list((await session.execute(_VIEWERS, map_key)).scalars())


async def drop(session: AsyncSession, map_key: MapKey, viewers: Collection[UUID]) -> None:
    """Delete the memories of some groups of a map."""
    if viewers:
        await session.execute(_DROP, {**map_key, "viewers": list(viewers)})


class Changes(NamedTuple):
    """Changes of memories, as they are stored: new wholes by group; rows of new chunks (group, x, y, explored
    cells, differences); and keys of deleted chunks."""

    wholes: dict[UUID, str]
    put: list[tuple[UUID, int, int, bytes, str | None]]
    gone: list[tuple[UUID, int, int]]


class Memories:
    """The memories of some groups of a map: loaded as needed. Parts that are not loaded count as empty, and are
    not changed. Subclasses read them.
    """

    def __init__(self, viewers: Sequence[UUID]) -> None:
        self.viewers = viewers
        self.stored: dict[UUID, Packed] = {viewer: {} for viewer in viewers}
        self.wholes: dict[UUID, dict[str, Any]] = {}
        self._loaded: set[ChunkXY] = set()
        self._is_all_loaded = False

    async def load_wholes(self) -> None:
        """Load `wholes`."""
        raise NotImplementedError

    async def read_chunks(self, chunks: Sequence[ChunkXY] | None) -> None:
        """Load some chunks, or all of them, into `stored`."""
        raise NotImplementedError

    async def load(self, chunks: Iterable[ChunkXY] | None) -> None:
        """Load some chunks, or all of them."""
        missing = sorted(set(chunks or ()) - self._loaded)
        if self._is_all_loaded or (chunks is not None and not missing):
            return
        await self.read_chunks(None if chunks is None else missing)
        self._loaded.update(missing)
        self._is_all_loaded = chunks is None

    def take(self, wholes: str | None, chunks: str | None) -> None:
        """Take the columns `wholes` and `chunks` of MEMORIES."""
        self.wholes = {UUID(viewer): whole for viewer, whole in orjson.loads(wholes or "[]")}
        for viewer, x, y, explored, differs in orjson.loads(chunks or "[]"):
            self.stored[UUID(viewer)][x, y] = cells_of(bytes.fromhex(explored)), differs

    def of(self, viewer: UUID) -> Memory:
        """The stored memory of a group."""
        return unpack(self.stored[viewer], self.wholes.get(viewer))

    def changes(self, memories: Mapping[UUID, Memory]) -> Changes:
        """The differences between the memories of some groups and the loaded ones."""
        changes = Changes({}, [], [])
        for viewer, memory in memories.items():
            chunks, whole = pack(memory)
            stored = self.stored[viewer]
            is_new = bool(chunks) and viewer not in self.wholes
            if is_new or whole != self.wholes.get(viewer, _NOTHING):
                changes.wholes[viewer] = _json(whole)
            for chunk, (bits, differs) in chunks.items():
                if stored.get(chunk) != (bits, differs):
                    kept = b"" if bits == _ALL else bits
                    changes.put.append((viewer, *chunk, kept, None if differs is None else _json(differs)))
            changes.gone.extend((viewer, *chunk) for chunk in stored.keys() - chunks.keys())
        return changes


class StoredMemories(Memories):
    """Memories that are read and written in a session."""

    def __init__(self, session: AsyncSession, map_key: MapKey, viewers: Sequence[UUID]) -> None:
        super().__init__(viewers)
        self._session, self._map_key = session, map_key

    async def load_wholes(self) -> None:  # noqa: D102
        found = await self._session.execute(_WHOLES, {**self._map_key, "viewers": list(self.viewers)})
        self.wholes = {row.viewer_id: row.whole for row in found}

    async def read_chunks(self, chunks: Sequence[ChunkXY] | None) -> None:  # noqa: D102
        some = chunks or ()
        keys = {"xs": [x for x, _ in some], "ys": [y for _, y in some], "everything": chunks is None}
        for row in await self._session.execute(_CHUNKS, {**self._map_key, **keys, "viewers": list(self.viewers)}):
            self.stored[row.viewer_id][row.x, row.y] = cells_of(row.explored), row.differs

    async def write(self, memories: Mapping[UUID, Memory]) -> None:
        """Store the memories of some groups where they differ from what was loaded."""
        wholes, put, gone = self.changes(memories)
        if wholes:
            await self._session.execute(
                _PUT_WHOLES, {**self._map_key, "viewers": list(wholes), "wholes": list(wholes.values())}
            )
        # Some at a time: one statement for thousands would exceed the time limit.
        for start in range(0, len(put), _AT_ONCE):
            columns = zip(*put[start : start + _AT_ONCE], strict=True)
            names = ("viewers", "xs", "ys", "explored", "differs")
            values = {name: list(column) for name, column in zip(names, columns, strict=True)}
            await self._session.execute(_PUT_CHUNKS, {**self._map_key, **values})
        if gone:
            columns = zip(*gone, strict=True)
            values = {name: list(column) for name, column in zip(("viewers", "xs", "ys"), columns, strict=True)}
            await self._session.execute(_DROP_CHUNKS, {**self._map_key, **values})


def cells_of(explored: bytes) -> bytes:
    """The explored cells of a stored chunk, a bit each; an empty value means all."""
    return explored or _ALL


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
