"""Updates what players remember of a map, in the transaction of each change of the map or its tokens.

Every change of a map, of its tokens, or of who sees through them, is made within `watch`, with the map locked:

    async with fog.watch(session, row) as tracker:
        await tracker.keep(keys)                 # before chunks of cells are written: which ones
        ...                                      # change the map, or its tokens
        tracker.add_path(token_id, positions)    # the path of a token

The states before and after are compared. What a group has in sight becomes explored. Of what changed out of its
sight, the old state is stored in its memory (`game.grid.memory`). For a map that never had fog, nothing is stored
or computed.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple, Protocol, TypeVar
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from game import grants
from game.fog import queries, sights, transitions
from game.fog.models import PARTY, Fog, FogSharing
from game.fog.queries import Memories, StoredMemories
from game.fog.sights import Sights
from game.fog.viewers import MapState, Piece
from game.grid import memory
from game.grid.canvas import Loaded, Wanted
from game.grid.cell_sets import NONE, Cells, ChunkXY, union
from game.grid.changes import same
from game.grid.chunks import ChunkKey
from game.grid.geometry import Point
from game.grid.memory import NOTHING, Memory, Rows, chunks_beside, chunks_of, join, remember, resized, see
from game.grid.player_view import shown_layers
from game.grid.scene import Scene, changed_things
from game.permissions import Role

Result = TypeVar("Result")

_LARGE_CHUNKS: Final = 64
_LARGE_THINGS: Final = 1000
"""With at least this many chunks or objects, comparisons run in a thread."""
_POSITIONS: Final = 16
"""The number of positions of a path, after whose sights other tasks get a turn."""


class FoggedMap(Protocol):
    """A row of the table of maps."""

    id: UUID
    universe_id: UUID
    width: int
    height: int
    grid_data: dict[str, Any]
    fog: str
    fog_sharing: str
    lighting: str
    scene_key: UUID | None

    @property
    def is_published(self) -> bool:
        """Whether players and spectators may read it."""


def map_key_of(row: FoggedMap) -> dict[str, UUID]:
    """The parameters `universe_id` and `map_id` of statements."""
    return {"universe_id": row.universe_id, "map_id": row.id}


async def map_state_of(session: AsyncSession, row: FoggedMap, before: MapState | None = None) -> MapState:
    """The current state of a map; the members are taken from `before`, if it is given."""
    return MapState(
        row.grid_data,
        row.width,
        row.height,
        row.is_published,
        row.fog_sharing,
        row.lighting,
        await queries.members(session, row.universe_id) if before is None else before.members,
        await queries.pieces(session, map_key_of(row)),
    )


class ChangeTracker:
    """Tracks the changes of a map within `watch`."""

    def __init__(self, session: AsyncSession, row: FoggedMap) -> None:
        self._session, self._row, self._map_key = session, row, map_key_of(row)
        self._key = row.scene_key
        self._before: MapState | None = None
        self._rows: dict[ChunkKey, Rows] = {}
        self._paths: list[tuple[UUID, Sequence[Point]]] = []
        self._moved: tuple[int, int] | None = None
        self.tokens_stay = False
        """That no token is changed within: they need not be read again."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing has to be stored, because the map has never had fog."""
        return self._key is None

    async def begin(self) -> None:
        """Store the state before the change."""
        if self._key is not None:
            self._before = await map_state_of(self._session, self._row)

    async def keep(self, keys: Iterable[ChunkKey] = (), layers: Iterable[int] = ()) -> None:
        """Store the rows of chunks, and of all chunks of layers, before they are written."""
        missing = [key for key in keys if key not in self._rows]
        layers = list(layers)
        if self.is_idle or not (missing or layers):
            return
        loaded = await queries.cells(self._session, self._map_key, Wanted(missing, layers))
        self._rows |= {key: loaded.get(key) for key in {*missing, *loaded} if key not in self._rows}

    def shift_cells(self, dx: int, dy: int) -> None:
        """Record that all cells of the map were shifted, after all layers were kept."""
        old = self._moved or (0, 0)
        self._moved = old[0] + dx, old[1] + dy

    def add_path(self, token_id: UUID, positions: Sequence[Point]) -> None:
        """Record the path of a token: its top left cells, or points on a map without a grid."""
        self._paths.append((token_id, positions))

    async def finish(self) -> None:
        """Compare the state after the change with the one before, and update the memories."""
        row, session, before = self._row, self._session, self._before
        if row.scene_key is None and row.fog == Fog.off:
            return
        after = await self._after()
        rows = await self._changed_rows(after)
        old, new = await self._sights(after, rows)
        load = partial(queries.cells, session, self._map_key)
        seen_before: Mapping[UUID, Cells] = {}
        change = None
        if before is not None and old is not None:
            seen_before = await sights.seen(before, old.vision, before.viewers(), self._load_before)
            if old.scene.grid.type == new.scene.grid.type:
                change = await _compute(_is_large(old.scene), _Change.of, old.scene, new.scene, rows, self._moved)
        seen_now = await sights.seen(after, new.vision, after.viewers(), load)
        seen_on_path = await _seen_on_paths(self._paths, after, new, load)
        memories, known = await self._memories(after, change, [seen_before, seen_now, seen_on_path])
        await memories.write(await _memories_after(known, change, new.scene, seen_before, seen_on_path, seen_now))

    async def _after(self) -> MapState:
        """The map after the change."""
        row, before = self._row, self._before
        # Read again, because the range of a character's senses, in cells, depends on the grid.
        if (
            before is None
            or not self.tokens_stay
            or not same(*(_distance(one) for one in (before.frame, row.grid_data)))
        ):
            await self._session.flush()
            return await map_state_of(self._session, row, before)
        after = before.with_frame(row.grid_data, row.width, row.height)
        return replace(after, is_published=row.is_published, sharing=row.fog_sharing, lighting=row.lighting)

    async def _load_before(self, wanted: Wanted) -> Loaded:
        """Load chunks in their state before the change, after the new ones were written."""
        kept = {key: self._rows[key] for key in wanted.chunks if key in self._rows}
        others = wanted._replace(chunks=[key for key in wanted.chunks if key not in kept])
        loaded = await queries.cells(self._session, self._map_key, others)
        return {**loaded, **{key: rows for key, rows in kept.items() if rows is not None}}

    async def _changed_rows(self, after: MapState) -> dict[ChunkKey, tuple[Rows, Rows]]:
        """The rows of chunks that changed, before and after; all chunks of layers that became visible or hidden.
        If the cells of the map were shifted, the old rows are at their new positions.
        """
        before = self._before
        if before is None:
            return {}
        shown = shown_layers(before.frame) ^ shown_layers(after.frame)
        layers = {key[0] for key in self._rows} if self._moved else shown
        if not self._rows and not layers:
            return {}
        wanted = Wanted([key for key in self._rows if key[0] not in layers], sorted(layers))
        now = await queries.cells(self._session, self._map_key, wanted)
        if self._moved:
            old = transitions.shifted_rows(self._rows, *self._moved, after.width, after.height)
            return {key: (old.get(key), now.get(key)) for key in old.keys() | now.keys()}
        pairs = {key: (self._rows.get(key, now.get(key)), now.get(key)) for key in self._rows.keys() | now.keys()}
        return {key: pair for key, pair in pairs.items() if key[0] in shown or pair[0] != pair[1]}

    async def _sights(
        self, after: MapState, rows: Mapping[ChunkKey, tuple[Rows, Rows]]
    ) -> tuple[Sights | None, Sights]:
        """The sights of the map before and after the change; if the grid changed, the map gets a new scene key."""
        row, before = self._row, self._before
        old = None
        if before is not None and self._key is not None:
            old = sights.sights_of(self._key, before.frame, before.width, before.height)
            if after.frame is before.frame and not rows and self._moved is None:
                return old, old
        row.scene_key = uuid4()
        if old is None or self._moved is not None:
            # If all cells were shifted, nothing that was computed before can be used.
            return old, sights.sights_of(row.scene_key, after.frame, after.width, after.height)
        is_large = _is_large(old.scene) or len(rows) > _LARGE_CHUNKS
        size = after.width, after.height
        new = await _compute(is_large, transitions.next_sights, old, after.frame, *size, rows)
        if self._key is not None:
            # Former visions are kept with the new sights only. Otherwise each would count, and evict other maps.
            sights.cache(self._key, Sights.of(old.scene, old.vision))
        sights.cache(row.scene_key, new)
        return old, new

    async def _memories(
        self, after: MapState, change: "_Change | None", seen: Sequence[Mapping[UUID, Cells]]
    ) -> tuple[StoredMemories, dict[UUID, Memory]]:
        """The parts of the groups' memories before the change that it may affect."""
        before, session = self._before, self._session
        viewers = after.viewers()
        if before is not None and before.sharing != after.sharing:
            known = await self._converted(before, after, change, seen[0])
            await queries.drop(session, self._map_key, await queries.viewers(session, self._map_key))
            return StoredMemories(session, self._map_key, viewers), known
        memories = StoredMemories(session, self._map_key, viewers)
        await memories.load_wholes()
        if before is not None and change is None:
            # A change of the grid type invalidates what was remembered.
            await memories.load(None)
            return memories, dict.fromkeys(viewers, NOTHING)
        if change is not None and change.is_everywhere:
            await memories.load(None)
        elif change is not None:
            await memories.load(_affected_chunks(memories, change, seen))
        return memories, {viewer: memories.of(viewer) for viewer in viewers}

    async def _converted(
        self, before: MapState, after: MapState, change: "_Change | None", seen_before: Mapping[UUID, Cells]
    ) -> dict[UUID, Memory]:
        """The memories of the new groups after a change of `fog_sharing`: copied from the party to each player, or
        merged."""
        memories = StoredMemories(self._session, self._map_key, before.viewers())
        await memories.load_wholes()
        await memories.load(None)
        players = [user_id for user_id, role in after.members.items() if role is Role.player]
        known: dict[UUID, Memory] = dict.fromkeys(after.viewers(), NOTHING)
        if change is None:
            return known
        if after.sharing == FogSharing.each:
            party = see(memories.of(PARTY), change.before, seen_before[PARTY])
            return known | dict.fromkeys(players, party)
        mine = [see(memories.of(one), change.before, seen_before[one]) for one in players]
        return {PARTY: await asyncio.to_thread(join, mine, change.before, NONE)} if mine else known


class _Change(NamedTuple):
    """What a change did to a map's grid: the scenes before and after it, and their differences.

    `base` is the scene before the change, with its cells at their new positions if they were shifted.
    """

    before: Scene
    base: Scene
    after: Scene
    rows: Mapping[ChunkKey, tuple[Rows, Rows]]
    moved: tuple[int, int] | None
    things: Sequence[tuple[str, str]]
    chunks: frozenset[ChunkXY]

    @classmethod
    def of(
        cls,
        before: Scene,
        after: Scene,
        rows: Mapping[ChunkKey, tuple[Rows, Rows]],
        moved: tuple[int, int] | None,
    ) -> "_Change":
        """The change from a scene to another."""
        if before is after:
            return cls(before, before, after, {}, None, (), frozenset())
        base = before
        if moved is not None:
            base = Scene(transitions.shifted_frame(before.frame, *moved), after.width, after.height)
        chunks = {key[1:] for key in rows} | transitions.changed_chunks(base, after)
        things = changed_things(base, after)
        return cls(before, base, after, rows, moved, things, frozenset(chunks))

    @property
    def is_everywhere(self) -> bool:
        """Whether all of a memory is affected."""
        same_size = (self.before.width, self.before.height) == (self.after.width, self.after.height)
        return self.moved is not None or not same_size


def _memory_after(
    known: Memory, change: _Change | None, scene: Scene, seen_before: Cells, on_path: Cells, seen_now: Cells
) -> Memory:
    """The memory of a group after a change of the grid, or of the tokens alone; `scene` is the map after it."""
    if change is None:
        return see(known, scene, seen_now)
    known = see(known, change.before, seen_before)
    if change.moved is not None:
        by = transitions.point_shift(change.before.frame, *change.moved)
        known = resized(known, change.base, *change.moved, by)
    if change.before is not change.after:
        known = remember(known, change.base, change.after, change.rows, change.things, seen_now)
    return see(known, scene, union(on_path, seen_now))


def _distance(frame: Mapping[str, Any]) -> Any:
    return frame.get("cell_distance")


def _is_large(scene: Scene) -> bool:
    return scene.size > _LARGE_THINGS


async def _compute(is_large: bool, function: Callable[..., Result], *arguments: Any) -> Result:
    """The result of a function; much work is done in a thread, so that it does not delay other requests."""
    return await asyncio.to_thread(function, *arguments) if is_large else function(*arguments)


async def _seen_on_paths(
    paths: Iterable[tuple[UUID, Sequence[Point]]], after: MapState, now: Sights, load: sights.Load
) -> dict[UUID, Cells]:
    """What the groups have seen along the paths of tokens."""
    found: dict[UUID, Cells] = {}
    for token_id, positions in paths:
        piece = after.pieces.get(token_id)
        if piece is None:
            continue
        for number, (x, y) in enumerate(positions, 1):
            if not number % _POSITIONS:
                # A path may have thousands of positions.
                await asyncio.sleep(0)
            then = after.with_token(piece._replace(x=x, y=y))
            if after.lighting != "dark" or piece.light is None:
                then = replace(then, observer_ids=frozenset([token_id]))
            for viewer, cells in (await sights.seen(then, now.vision, after.viewers(), load)).items():
                found[viewer] = union(found.get(viewer, NONE), cells)
    return found


def _affected_chunks(memories: Memories, change: _Change, seen: Iterable[Mapping[UUID, Cells]]) -> set[ChunkXY]:
    """The chunks of memories that a change of the map, and what is in sight, may affect."""
    sets: list[Cells] = [one.get(viewer, NONE) for one in seen for viewer in memories.viewers]
    chunks = chunks_beside(union(NONE, dict.fromkeys(change.chunks, 1), *sets))
    scenes = {change.before, change.after}
    for scene in scenes:
        chunks |= chunks_of(NOTHING, scene, change.things)
        for viewer in memories.viewers:
            chunks |= chunks_of(memories.of(viewer), scene)
    return chunks


async def _memories_after(
    known: Mapping[UUID, Memory],
    change: _Change | None,
    scene: Scene,
    seen_before: Mapping[UUID, Cells],
    on_path: Mapping[UUID, Cells],
    seen_now: Mapping[UUID, Cells],
) -> dict[UUID, Memory]:
    """The memories of the groups after a change, from what they saw before it, along the paths, and after it."""
    remembered = {}
    chunks = 0 if change is None else len(change.rows)
    for viewer, memory_ in known.items():
        is_large = len(memory_.explored) + chunks > _LARGE_CHUNKS or _is_large(scene)
        seen = seen_before.get(viewer, NONE), on_path.get(viewer, NONE), seen_now[viewer]
        remembered[viewer] = await _compute(is_large, _memory_after, memory_, change, scene, *seen)
    return remembered


async def after_move(
    before: MapState,
    piece: Piece,
    positions: Sequence[Point],
    now: Sights,
    seen_before: Mapping[UUID, Cells],
    memories: Memories,
    load: sights.Load,
) -> tuple[dict[UUID, Memory], dict[UUID, Cells]]:
    """What the groups remember and see after the move of one token, without other changes.

    `piece` is the token after the move, `positions` its path, and `seen_before` what the groups saw before.
    """
    viewers = before.viewers()
    after = before.with_token(piece)
    seen_now = await sights.seen(after, now.vision, viewers, load)
    on_path = await _seen_on_paths([(piece.id, positions)], after, now, load)
    change = _Change.of(now.scene, now.scene, {}, None)
    await memories.load(_affected_chunks(memories, change, [seen_before, seen_now, on_path]))
    known = {viewer: memories.of(viewer) for viewer in viewers}
    return await _memories_after(known, change, now.scene, seen_before, on_path, seen_now), seen_now


@asynccontextmanager
async def watch(session: AsyncSession, row: FoggedMap) -> AsyncIterator[ChangeTracker]:
    """Track changes of a locked map and its tokens, and update what players remember of it."""
    tracker = ChangeTracker(session, row)
    await tracker.begin()
    yield tracker
    await tracker.finish()


async def reveal(session: AsyncSession, row: FoggedMap, cells: Cells, viewers: Collection[UUID]) -> None:
    """Reveal cells of a locked map to some of its groups, in their current state."""
    await _redraw(session, row, cells, viewers, memory.reveal)


async def hide(session: AsyncSession, row: FoggedMap, cells: Cells, viewers: Collection[UUID]) -> None:
    """Remove cells from the memories of some groups of a locked map; cells in sight stay explored."""
    await _redraw(session, row, cells, viewers, memory.hide)


async def _redraw(
    session: AsyncSession, row: FoggedMap, cells: Cells, viewers: Collection[UUID], change: Callable[..., Memory]
) -> None:
    # On a map without fog, revealed cells count once it gets fog.
    row.scene_key = row.scene_key or uuid4()
    map_state = await map_state_of(session, row)
    scene, vision, _ = sights.sights_of(row.scene_key, map_state.frame, map_state.width, map_state.height)
    seen = await sights.seen(map_state, vision, viewers, partial(queries.cells, session, map_key_of(row)))
    memories = StoredMemories(session, map_key_of(row), list(viewers))
    await memories.load_wholes()
    chunks = chunks_beside(union(cells, *seen.values()))
    await memories.load(chunks.union(*(chunks_of(memories.of(viewer), scene) for viewer in viewers)))
    is_large = len(cells) > _LARGE_CHUNKS or _is_large(scene)
    changed = {}
    for viewer in viewers:
        known = see(memories.of(viewer), scene, seen[viewer])
        more = (seen[viewer],) if change is memory.hide else ()
        changed[viewer] = await _compute(is_large, change, known, scene, cells, *more)
    await memories.write(changed)


async def _update_after_sight_change(session: AsyncSession, universe_id: UUID, cause_id: UUID) -> None:
    """Update the memories of all maps with tokens of a character, or with grants to a user."""
    for row in await queries.maps_seen_by(session, universe_id, cause_id):
        async with watch(session, row):
            pass


grants.AFTER_SIGHT_CHANGE.append(_update_after_sight_change)
