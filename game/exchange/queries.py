"""A universe out of the database and into it: streamed from one snapshot, written in one transaction."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.accounts.models import User
from game.assets import queries as assets
from game.assets.models import Asset
from game.assets.pictures import PictureError, inspect
from game.core.database import Database
from game.core.ids import uuid7
from game.core.models import MAX_NAME, Shape, rfc3339
from game.core.strict_json import JsonRefused, parse
from game.events.models import Event
from game.exchange.bundle import EVENTS, FORMAT, MANIFEST, VERSION, BundleError, Reader, Writer
from game.exchange.map_files import ReadFile, linked
from game.exchange.models import AssetName, BundledEvent
from game.grid.document import GridError, check
from game.maps import queries as maps
from game.maps.models import Map, MapCreate
from game.maps.queries import Found
from game.universes import queries as universes
from game.universes.access import Access
from game.universes.models import Universe, UniverseWrite

_EVENTS_AT_ONCE = 500
_BYTES_AT_ONCE = 4 * 2**20


async def bundle(database: Database, home: Access) -> AsyncIterator[bytes]:
    """A universe as one file, in pieces, as it was at one moment."""
    universe = home.universe
    writer = Writer()
    async with database.session() as session:
        await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        own_maps = col(Map.universe_id) == universe.id
        map_ids = (
            (await session.execute(select(col(Map.id)).where(own_maps).order_by(col(Map.id)))).scalars().all()
        )
        listed = (
            await session.execute(
                select(col(Asset.id), col(Asset.name), col(Asset.media_type))
                .where(col(Asset.universe_id) == universe.id)
                .order_by(col(Asset.id))
            )
        ).all()
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "universe": {"name": universe.name, "description": universe.description},
            "maps": [str(one) for one in map_ids],
            "assets": [{"id": str(one.id), "name": one.name, "media_type": one.media_type} for one in listed],
        }
        yield writer.add(MANIFEST, orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        for map_id in map_ids:
            found = await maps.get(session, home.user, map_id, "exportMap")
            document, _ = await maps.document(session, found)
            yield await asyncio.to_thread(writer.add, f"maps/{map_id}.json", document)
        for one in listed:
            data = (await session.execute(select(col(Asset.data)).where(col(Asset.id) == one.id))).scalar_one()
            yield await asyncio.to_thread(writer.add, f"assets/{one.id}", data)
        writer.open(EVENTS)
        seq = 0
        while lines := (await session.execute(_LINES, {"universe_id": universe.id, "seq": seq})).all():
            part = b"".join(line.line.encode() + b"\n" for line in lines)
            yield await asyncio.to_thread(writer.append, part)
            seq = lines[-1].seq
    yield writer.close()


# As text: what a universe brought from elsewhere may be anything.
_LINES = text(f"""
    SELECT seq, line FROM (
        SELECT seq, line, sum(octet_length(line)) OVER (ORDER BY seq) - octet_length(line) AS ahead
        FROM (
            SELECT seq, concat('{{"seq":', seq, ',"kind":', to_json(kind), ',"subject_id":"', subject_id,
                '","payload":', payload, ',"before":', coalesce(before::text, 'null'),
                ',"created_at":"', {rfc3339("created_at")}, '"}}') AS line
            FROM event WHERE universe_id = :universe_id AND seq > :seq ORDER BY seq LIMIT {_EVENTS_AT_ONCE}
        ) lines
    ) measured
    WHERE ahead < {_BYTES_AT_ONCE} ORDER BY seq
""")


async def unbundle(session: AsyncSession, user: User, data: bytes, progress: Callable[[], None]) -> Access:
    """Make a universe of the user's from a bundle, with new ids; `progress` is called at each step of the work.

    Its history comes along, without the names of who made it: a file could claim anybody's.

    Raises:
        BundleError: the file, or something in it, is not as it should be.
    """
    reader = await asyncio.to_thread(Reader, data)
    manifest = reader.manifest()
    fields = _shaped(UniverseWrite, manifest.get("universe"), f"{MANIFEST}: universe")
    home = await universes.add(session, user, fields.model_dump())
    universe = home.universe
    ids: dict[str, UUID] = {}
    for index, one in enumerate(_list(manifest, "assets")):
        asset = await asyncio.to_thread(_asset, reader, universe, one, f"{MANIFEST}: assets[{index}]")
        ids[str(one["id"])] = asset.id
        session.add(asset)
        await session.flush()
        session.expunge(asset)
        progress()
    for index, one in enumerate(_list(manifest, "maps")):
        document = await asyncio.to_thread(_document, reader, universe, one, f"{MANIFEST}: maps[{index}]")
        background = document["grid_data"].get("background")
        if isinstance(background, dict) and str(background.get("asset_id")) in ids:
            background["asset_id"] = str(ids[str(background["asset_id"])])
        row = await maps.put(session, universe, document)
        ids[str(one)] = row.id
        progress()
    await _put_events(session, universe, reader, ids, progress)
    await universes.record_import(session, home)
    return home


def _list(manifest: dict[str, Any], name: str) -> list[Any]:
    value = manifest.get(name, [])
    if not isinstance(value, list):
        raise BundleError(f"{MANIFEST}: {name}", "This must be a list.")
    return value


def _shaped(shape: type[Shape], value: Any, place: str) -> Any:
    """A value as one of the API's shapes, checked as if a client had sent it."""
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise BundleError(f"{place}.{where}" if where else place, str(fault["msg"])) from None


def _json(reader: Reader, name: str) -> Any:
    try:
        return parse(reader.read(name))
    except JsonRefused as refused:
        raise BundleError(f"{name}: {refused.place}" if refused.place else name, refused.message) from None


def _asset(reader: Reader, universe: Universe, one: Any, place: str) -> Asset:
    if not isinstance(one, dict) or not isinstance(one.get("id"), str):
        raise BundleError(place, "An asset is an object with an id.")
    name = f"assets/{one['id']}"
    data = reader.read(name)
    try:
        picture = inspect(data)
    except PictureError as error:
        raise BundleError(name, str(error)) from None
    called = _shaped(AssetName, {"name": one.get("name", "picture")}, place).name
    return Asset(universe_id=universe.id, name=called, data=data, **picture._asdict())


def _document(reader: Reader, universe: Universe, one: Any, place: str) -> dict[str, Any]:
    if not isinstance(one, str):
        raise BundleError(place, "A map is named by its id.")
    name = f"maps/{one}.json"
    value = _json(reader, name)
    if not isinstance(value, dict):
        raise BundleError(name, "A map is an object.")
    body = {key: value[key] for key in ("name", "description", "visibility", "grid_data") if key in value}
    document: dict[str, Any] = _shaped(MapCreate, {**body, "universe_id": str(universe.id)}, name).model_dump()
    try:
        check(document["grid_data"])
    except GridError as error:
        raise BundleError(f"{name}: {error.breaches[0].place}", error.breaches[0].message) from None
    version = value.get("version", 1)
    if type(version) is not int or not 0 < version < 2**31:
        raise BundleError(f"{name}: version", "A version is a whole number from 1.")
    return {**document, "version": version}


async def _put_events(
    session: AsyncSession, universe: Universe, reader: Reader, ids: dict[str, UUID], progress: Callable[[], None]
) -> None:
    """Write the log of a bundle as that of a new universe."""
    lines = (await asyncio.to_thread(reader.read, EVENTS)).splitlines()
    for start in range(0, len(lines), _EVENTS_AT_ONCE):
        part = lines[start : start + _EVENTS_AT_ONCE]
        rows = await asyncio.to_thread(_events, part, start + 1, universe, ids)
        await session.execute(insert(Event), rows)
        progress()
    universe.event_seq = len(lines)


def _events(lines: list[bytes], first: int, universe: Universe, ids: dict[str, UUID]) -> list[dict[str, Any]]:
    return [_event(line, seq, universe, ids) for seq, line in enumerate(lines, first)]


def _event(line: bytes, seq: int, universe: Universe, ids: dict[str, UUID]) -> dict[str, Any]:
    place = f"{EVENTS}: line {seq}"
    try:
        value = orjson.loads(line)
        # What the API shows goes through the gate; `before` is looked at when a map is taken back to it.
        parse(orjson.dumps(value["payload"]))
        event = _shaped(BundledEvent, value, place)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise BundleError(place, "This is not an event.") from None
    except JsonRefused as refused:
        raise BundleError(f"{place}: payload.{refused.place}", refused.message) from None
    if event.seq != seq or b"\\u0000" in line:
        raise BundleError(place, f"The events must be counted without gaps: {seq} comes here.")
    subject = universe.id if event.kind.startswith("universe.") else ids.get(event.subject_id) or uuid7()
    ids.setdefault(event.subject_id, subject)
    return {
        "universe_id": universe.id,
        "seq": seq,
        "actor_id": None,
        "kind": event.kind,
        "subject_id": subject,
        "payload": event.payload,
        "before": event.before,
        "created_at": event.created_at,
    }


async def put_maps(
    session: AsyncSession, home: Access, file: ReadFile, progress: Callable[[], None]
) -> list[bytes]:
    """Make the maps of a file in a locked universe; returns their JSON texts."""
    texts = []
    for one in file.maps:
        ids: dict[str, str] = {}
        for name, (picture, data) in one.pictures.items():
            called = "".join(character for character in name if character.isprintable())[-MAX_NAME:] or "picture"
            asset = await assets.create(session, home, called, picture, data)
            ids[name] = str(asset.id)
            progress()
        document = await asyncio.to_thread(linked, one.document, ids)
        fields = {"name": one.name, "description": one.description, "grid_data": document}
        found = await maps.create(session, home, fields)
        texts.append((await maps.document(session, found)).body)
        progress()
    return texts


_ASSET_ID = re.compile(rb'"asset_id": ?"([0-9a-f-]{36})"')


async def pictures_of(
    session: AsyncSession, found: Found, text: bytes, format: str, limit: int
) -> dict[str, bytes]:
    """The pictures of a map's universe that a written file shows, by id; at most `limit` bytes of them.

    Takes the map's JSON text, as its reader may see it. All pictures that it names go into a TMX file, its
    background into other formats.
    """
    named = {one.decode() for one in _ASSET_ID.findall(text)}
    if format != "tiled":
        background = found.row.grid_data.get("background")
        named &= {str(background.get("asset_id"))} if isinstance(background, dict) else set()
    ids = [id for one in sorted(named) if (id := _uuid(one))]
    own = col(Asset.universe_id) == found.row.universe_id
    sizes = select(col(Asset.id), func.length(col(Asset.data))).where(own, col(Asset.id).in_(ids))
    taken = []
    for id, length in (await session.execute(sizes.order_by(col(Asset.id)))).all() if ids else ():
        if length <= limit:
            taken.append(id)
            limit -= length
    statement = select(col(Asset.id), col(Asset.data)).where(own, col(Asset.id).in_(taken))
    return {str(one.id): one.data for one in await session.execute(statement)} if taken else {}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
