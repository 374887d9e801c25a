"""Responses with a map: a small one as one string, a large one streamed in bounded memory.

The chunks of a large map are read in one transaction, layer by layer, and stored compressed: up to a few megabytes
in memory, more in a temporary file. The response is built from them while it is sent, as fast as the client reads,
without a database connection.
"""

import asyncio
import zlib
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from io import SEEK_END
from itertools import chain, groupby
from tempfile import SpooledTemporaryFile
from typing import Any
from uuid import UUID

import orjson
from fastapi import Request, Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.models import User
from game.core.compute import Computing, until_disconnected
from game.core.database import snapshot
from game.core.errors import NotFound
from game.core.streams import StreamedResponse
from game.core.tags import players_tag
from game.core.versions import etag, not_modified
from game.grid.chunks import marked_layers, pieces
from game.grid.loading import BandTexts, LayerPart
from game.grid.past import Changed
from game.maps import fogged, queries
from game.maps.chunks import map_key_of
from game.maps.players import with_legend
from game.maps.queries import VISIBLE, Found, statement_role
from game.maps.texts import IS_SMALL, OUTLINE, MapText, document

_MEMORY_BYTES = 4 * 2**20
_COMPRESSION_LEVEL = 1
WAIT_SECONDS = 60.0
"""How long a read of a large map waits for others: to load the largest takes about four seconds."""

_READ = text(f"""
    SELECT {IS_SMALL} AS is_small, {OUTLINE} FROM map m
    CROSS JOIN (SELECT cast(:universe_id AS uuid) AS universe_id, cast(:role AS text) AS role) mb
    WHERE m.universe_id = :universe_id AND m.id = :map_id AND {VISIBLE}
""")
_BANDS = text("""
    SELECT y, array_agg(x ORDER BY x) AS xs, concat('[', string_agg(rows::text, ',' ORDER BY x), ']') AS rows
    FROM map_chunk WHERE universe_id = :universe_id AND map_id = :map_id AND layer = :layer GROUP BY y ORDER BY y
""")
_LAYERS = text("SELECT DISTINCT layer FROM map_chunk WHERE universe_id = :universe_id AND map_id = :map_id")


class StoredRows:
    """The stored chunks of a map, compressed, by layer and band (chunk y).

    `with_symbols`: also the symbols in use, and a hash of all of them.
    """

    def __init__(self, *, with_symbols: bool = False) -> None:
        self._symbols: set[str] | None = set() if with_symbols else None
        self._hash = blake2b() if with_symbols else None
        self._file = SpooledTemporaryFile(max_size=_MEMORY_BYTES)  # noqa: SIM115 - closed by `close`
        self._places: dict[tuple[int, int], tuple[int, int, list[int]]] = {}

    def add(self, layer: int, band: int, xs: list[int], rows: str) -> None:
        """Add the chunks of a band: their chunk xs, and a JSON list of the rows of each."""
        text = rows.encode()
        data = zlib.compress(text, _COMPRESSION_LEVEL)
        self._places[layer, band] = self._file.seek(0, SEEK_END), len(data), xs
        self._file.write(data)
        if self._hash is not None:
            self._hash.update(b"%d %d %r " % (layer, band, xs))
            self._hash.update(text)
        if self._symbols is not None:
            self._symbols.update(*(row for chunk in orjson.loads(text) for row in chunk))

    def symbols(self) -> str:
        """The symbols in use; empty without `with_symbols`."""
        return "".join(sorted(self._symbols or ()))

    def digest(self) -> bytes:
        """A hash of all that was added; empty without `with_symbols`."""
        return self._hash.digest() if self._hash else b""

    def band(self, layer: int, band: int) -> Mapping[int, list[str]]:
        """The chunks of a band, by chunk x."""
        xs, text = self._text(layer, band)
        return dict(zip(xs, orjson.loads(text), strict=True))

    def part(self, wanted: LayerPart) -> BandTexts:
        """The chunks of the bands that a part of the map covers, also those left and right of the part."""
        bands = range(wanted.top, wanted.bottom + 1)
        return [(band, *self._text(wanted.layer, band)) for band in bands if (wanted.layer, band) in self._places]

    def replace(self, changed: Changed) -> None:
        """Replace the chunks that have changed."""
        for (layer, band), some in groupby(changed.chunks, lambda one: (one[0][0], one[0][2])):
            chunks = {x: orjson.dumps(rows) for x, rows in self.band(layer, band).items()}
            chunks |= {x: rows or b"" for (_, x, _), rows in some}
            xs = sorted(x for x, rows in chunks.items() if rows)
            self.add(layer, band, xs, (b"[" + b",".join(chunks[x] for x in xs) + b"]").decode())

    def _text(self, layer: int, band: int) -> tuple[list[int], str]:
        if (layer, band) not in self._places:
            return [], "[]"
        start, length, xs = self._places[layer, band]
        self._file.seek(start)
        return xs, zlib.decompress(self._file.read(length)).decode()

    def close(self) -> None:
        """Free the memory, or delete the file."""
        self._file.close()


class MapPieces(Iterator[bytes]):
    """The JSON text of a map in pieces, and its version; for players a hash, as in `MapText`."""

    def __init__(self, outline: Mapping[str, Any], frame: str, rows: StoredRows, version: int | str) -> None:
        self.version = version
        self._rows = rows
        texts = pieces(frame, rows.band, outline["width"], outline["height"])
        self._texts = chain((outline["head"],), texts, (outline["tail"],))

    def __next__(self) -> bytes:
        text: str = next(self._texts)
        return text.encode()

    def close(self) -> None:
        """Free the rows; do not iterate any further."""
        self._rows.close()


async def outline_of(session: AsyncSession, found: Found) -> Any:
    """The frame of a map as the caller may see it, the JSON text before and after it, and the map's size.

    Raises:
        NotFound: the map no longer exists.
    """
    role = statement_role(found)
    parameters = {"universe_id": found.row.universe_id, "map_id": found.row.id, "role": role}
    outline = (await session.execute(_READ, parameters)).mappings().one_or_none()
    if outline is None:
        raise NotFound
    return outline


async def load(session: AsyncSession, found: Found, on_progress: Callable[[], object] = object) -> MapPieces:
    """Load a map as the caller may see it. Its pieces can then be built without the database, also in a thread.

    `on_progress` is called after each layer. The transaction must have locked the map, or be REPEATABLE READ.

    Raises:
        NotFound: the map no longer exists.
    """
    outline = await outline_of(session, found)
    legend = outline["players_legend"]
    rows = await rows_of(session, found, outline["frame"], on_progress, with_symbols=legend is not None)
    if legend is None:
        return MapPieces(outline, outline["frame"], rows, outline["version"])
    frame = with_legend(outline["frame"], legend, [orjson.dumps([rows.symbols()]).decode()])
    shown = f"{outline['head']}{frame}{outline['tail']}".encode() + rows.digest()
    return MapPieces(outline, frame, rows, players_tag(outline["etag_key"], shown))


async def rows_of(
    session: AsyncSession,
    found: Found,
    frame: str,
    on_progress: Callable[[], object],
    *,
    with_symbols: bool = False,
) -> StoredRows:
    """The stored chunks of the layers of a map's frame; `on_progress` is called after each layer."""
    rows = StoredRows(with_symbols=with_symbols)
    place = map_key_of(found.row)
    try:
        stored = set((await session.execute(_LAYERS, place)).scalars())
        for layer in stored.intersection(marked_layers(frame)):
            for band in (await session.execute(_BANDS, {**place, "layer": layer})).all():
                await asyncio.to_thread(rows.add, layer, band.y, band.xs, band.rows)
            on_progress()
    except BaseException:
        rows.close()
        raise
    return rows


async def read(
    request: Request,
    session: AsyncSession,
    computing: Computing,
    user: User,
    map_id: UUID,
    as_id: UUID | None = None,
) -> Response:
    """The response to a read of a map by a user; with `as_id`, by a game master as this member sees it.

    Raises:
        NotFound: it does not exist, or the user may not read it.
        Forbidden, Unprocessable: as `queries.get` does.
        TooMuchAtOnce, Unavailable: the map is large, and too many are being read.
    """
    found = await queries.get(session, user, map_id, "readMap", with_grid=False, as_id=as_id)
    if found.has_fog:
        return await _read_fogged(request, session, computing, user, map_id, as_id)
    if found.access.is_game_master and (unchanged := not_modified(request, found.row.version)):
        return unchanged
    if (await outline_of(session, found))["is_small"]:
        text = await document(session, found)
        return not_modified(request, text.version) or _whole(text)
    # Hold no connection while waiting.
    await session.close()

    async def load_in_turn() -> MapPieces:
        async with computing.slot(user.id, WAIT_SECONDS):
            await snapshot(session)
            found = await queries.get(session, user, map_id, "readMap", with_grid=False, as_id=as_id)
            loaded = await load(session, found, request.scope["on_progress"])
            await session.close()
            return loaded

    loaded = await until_disconnected(request.receive, load_in_turn())
    if unchanged := not_modified(request, loaded.version):
        loaded.close()
        return unchanged
    return streamed(request, user, loaded)


async def _read_fogged(
    request: Request,
    session: AsyncSession,
    computing: Computing,
    user: User,
    map_id: UUID,
    as_id: UUID | None,
) -> Response:
    """The response to a read of a map with fog."""
    seen = await fogged.view_map(session, user, map_id, "readMap", as_id)
    outline = await outline_of(session, seen.found)
    texts = outline["head"], outline["tail"]
    if outline["is_small"]:
        text = await fogged.document(session, seen, *texts)
    else:
        text = await fogged.large_document(session, computing, user, seen, *texts)
    return not_modified(request, text.version) or _whole(text)


async def changed(request: Request, session: AsyncSession, found: Found) -> Response:
    """The response to a change of a map, in the transaction that has locked it."""
    if (await outline_of(session, found))["is_small"]:
        return _whole(await document(session, found))
    return streamed(request, found.access.user, await load(session, found, request.scope["on_progress"]))


def _whole(text: MapText) -> Response:
    return Response(text.body, headers={"ETag": etag(text.version)}, media_type="application/json")


def streamed(request: Request, user: User, loaded: MapPieces) -> Response:
    """The response with a loaded map, which is closed after it was sent."""
    return StreamedResponse(request.app.state.streams, user.id, loaded, {"ETag": etag(loaded.version)})
