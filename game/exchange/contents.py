"""The content of a bundle, validated like requests of clients, and prepared for the database. Pure; runs in a
compute process.

`prepare` reads a bundle and writes a file of records for the database, compressed by gzip. Each is a line of JSON;
that of a picture is followed by its bytes. A picture of several assets is written once.

    {"kind": "picture", "sha256", "media_type", "bytes"} followed by `bytes` bytes
    {"kind": "asset", "id", "name", "media_type", "width", "height", "sha256"}
    {"kind": "map", "id", "name", "description", "visibility", "fog", "fog_sharing", "lighting", "version",
     "frame", "width", "height", "players_frame", "players_legend", "players_layers"}
    {"kind": "chunks", "map_id", "layers": [], "xs": [], "ys": [], "rows": []}
    {"kind": "rows", "table", "rows"}     rows of a table, as one JSON text
    {"kind": "events", "seqs": [], "kinds": [], "subject_ids": [], "payloads": [], "befores": [], "times": []}

Frames, rows, payloads and `before` are JSON texts: the server passes them on unparsed.
"""

import gzip
import re
import shutil
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from tempfile import TemporaryFile
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from game.assets.pictures import PictureError, inspect
from game.core.ids import uuid7
from game.core.json_gate import MAX_DEPTH, MAX_EVENT_DEPTH, JsonRefused, parse
from game.exchange import map_entries
from game.exchange.bundle import (
    CHARACTERS,
    ENCOUNTERS,
    EVENTS,
    MANIFEST,
    MESSAGES,
    NOTES,
    ROLLS,
    TOKENS,
    BundleError,
    Limits,
    Reader,
)
from game.exchange.bundled import (
    CHANGES,
    PAYLOADS,
    BundledAsset,
    BundledCharacter,
    BundledEncounter,
    BundledEvent,
    BundledMap,
    BundledMessage,
    BundledNote,
    BundledRoll,
    BundledToken,
    BundledUniverse,
    Fields,
)
from game.fog.models import Fog
from game.grid.geometry import Grid, GridType
from game.grid.moves import clamped
from game.grid.past import check_before
from game.grid.stored import StoredError
from game.maps.players import players_columns
from game.notes.markdown import PICTURE, pictures
from game.tokens.models import MAX_TOKENS

_BATCH_BYTES = 256 * 1024
_LEVEL = 1
"""The compression level of temporary data."""
_AROUND_CHUNK = 200
"""The size of a chunk in the database, in bytes, without its cells, or with them if all are equal."""
_MARKED = re.compile(rb'"rows":\s*9007199254\d{6}(?=[,}])')
"""A layer's key instead of its rows; clients cannot send such a number."""
_ASSET_ID = re.compile(r'"asset_id":"([^"\\]{1,64})"')


_SETTINGS = ("visibility", "fog", "fog_sharing", "lighting")


class _Ground(NamedTuple):
    """The properties of a map that matter for the tokens on it."""

    grid_type: GridType
    width: int
    height: int


class Contents(NamedTuple):
    """A prepared bundle: the universe's fields, and the size of each kind of data in bytes."""

    name: str
    description: str
    active_map_id: str | None
    events: int
    asset_bytes: int
    map_bytes: int
    event_bytes: int


def prepare(source: str, target: str, limits: Limits) -> Contents:
    """Check the bundle in the file `source`, and write its records to the file `target`.

    Everything gets a new id. The history is imported without its actors, because a file could name anybody.

    Raises:
        BundleError: the file, or something in it, is invalid.
    """
    with open(source, "rb") as file, gzip.open(target, "wb", _LEVEL) as records:
        return _Bundle(Reader(file, limits), records).prepare()


class _Bundle:
    """Converts a bundle into records."""

    def __init__(self, reader: Reader, records: gzip.GzipFile) -> None:
        self._reader, self._records = reader, records
        self._ids: dict[str, str] = {}  # of maps and other subjects, the new by the old ones
        self._maps: dict[str, str] = {}
        self._map_grids: dict[str, _Ground] = {}
        self._tokens: Counter[str] = Counter()  # by map
        self._assets: dict[str, str] = {}
        self._pictures: set[str] = set()
        self._published: dict[str, str] = {}  # of maps that members may read
        self._bytes: dict[str, int] = defaultdict(int)

    def prepare(self) -> Contents:
        manifest = self._reader.manifest()
        universe = _shaped(BundledUniverse, manifest.get("universe"), MANIFEST, "universe")
        for index, one in enumerate(manifest["assets"]):
            self._asset(one, f"assets[{index}]")
        self._rows("character", CHARACTERS, BundledCharacter, self._character)
        for one in manifest["maps"]:
            self._map(one)
        self._rows("token", TOKENS, BundledToken, self._token)
        self._rows("note", NOTES, BundledNote, self._note)
        self._rows("encounter", ENCOUNTERS, BundledEncounter, self._encounter)
        self._rows("roll", ROLLS, BundledRoll, self._roll)
        self._rows("message", MESSAGES, BundledMessage, self._message)
        events = self._events()
        sizes = [self._bytes[kind] for kind in ("asset", "map", "event")]
        active = self._published.get(universe.active_map_id or "")
        return Contents(universe.name, universe.description, active, events, *sizes)

    def _asset(self, one: dict[str, Any], place: str) -> None:
        data = self._reader.picture(one["id"])
        try:
            picture = inspect(data)
        except PictureError as error:
            raise BundleError(f"assets/{one['id']}", str(error)) from None
        name = _shaped(BundledAsset, one, MANIFEST, place).name
        self._assets[one["id"]] = new_id = str(uuid7())
        digest = sha256(data).hexdigest()
        if digest not in self._pictures:
            self._pictures.add(digest)
            self._write("picture", sha256=digest, bytes=len(data), media_type=picture.media_type)
            self._records.write(data)
            self._bytes["asset"] += len(data)
        self._write("asset", id=new_id, name=name, sha256=digest, **picture._asdict())

    def _map(self, map_id: str) -> None:
        name = f"maps/{map_id}.json"
        self._ids[map_id] = self._maps[map_id] = new_id = str(uuid7())
        # The size of the map is known only after its rows, so their records are written after that of the map.
        with TemporaryFile(prefix="worldkeep-") as file, gzip.open(file, "wb", _LEVEL) as waiting:
            batch = _Batch(waiting, "chunks", ("layers", "xs", "ys", "rows"), map_id=new_id)
            with self._reader.map(map_id) as entry:
                found = map_entries.read(entry, name, partial(self._chunk, batch))
            batch.write()
            waiting.close()
            self._framed(map_id, found, name)
            file.seek(0)
            with gzip.open(file) as records:
                shutil.copyfileobj(records, self._records, 2**20)

    def _chunk(self, batch: "_Batch", layer: int, x: int, y: int, rows: list[str]) -> None:
        line = orjson.dumps(rows).decode()
        # The database compresses it.
        is_plain = rows == [rows[0][0] * len(rows[0])] * len(rows)
        packed = 0 if is_plain else len(zlib.compress(line.encode(), _LEVEL))
        self._bytes["map"] += packed + _AROUND_CHUNK
        batch.add(len(line), layer, x, y, line)

    def _framed(self, map_id: str, found: map_entries.ReadMap, name: str) -> None:
        """Check a map whose rows were read, and write its record."""
        new_id = self._maps[map_id]
        document = _shaped(BundledMap, _parsed(found.outline, name), name)
        frame, width, height = found.framed(document.grid_data, name)
        self._map_grids[map_id] = _Ground(Grid.of(frame).type, width, height)
        text = self._relinked(orjson.dumps(frame).decode())
        players: dict[str, Any] = {"players_frame": None, "players_legend": None, "players_layers": None}
        if document.visibility == "members":
            self._published[map_id] = new_id
        if document.visibility == "members" and document.fog == Fog.off:
            shown, legend, layers = players_columns(orjson.loads(text))
            players = {"players_frame": orjson.dumps(shown).decode(), "players_legend": legend}
            players["players_layers"] = layers
        fields = document.model_dump(include={"name", "description", "version", *_SETTINGS})
        self._write("map", id=new_id, frame=text, width=width, height=height, **fields, **players)
        self._bytes["map"] += len(text)

    def _rows(self, table: str, file: str, shape: type[Fields], read: Callable[[Any], dict[str, Any]]) -> None:
        """Convert the lines of a file to rows of a table."""
        texts: list[str] = []
        size = 0

        def write() -> None:
            nonlocal size
            if texts:
                self._write("rows", table=table, rows=f"[{','.join(texts)}]")
            texts.clear()
            size = 0

        for number, line in enumerate(self._reader.rows(file), 1):
            place = f"{file}: line {number}"
            depth = MAX_EVENT_DEPTH if file == ROLLS else MAX_DEPTH
            one = _shaped(shape, _parsed(line, place, depth), place)
            if one.id in self._ids:
                raise BundleError(f"{place}: id", "Another one has the same id.")
            self._ids[one.id] = new_id = str(uuid7())
            text = orjson.dumps({**read(one), "id": new_id}).decode()
            self._bytes["event"] += len(text)
            texts.append(text)
            size += len(text)
            if size > _BATCH_BYTES:
                write()
        write()

    def _character(self, one: BundledCharacter) -> dict[str, Any]:
        return {**one.model_dump(), "asset_id": self._assets.get(one.asset_id or "")}

    def _token(self, one: BundledToken) -> dict[str, Any]:
        map_row = self._map_grids.get(one.map_id)
        if map_row is None:
            raise BundleError(f"{TOKENS}: {one.id}", "Its map is not in this file.")
        self._tokens[one.map_id] += 1
        if self._tokens[one.map_id] > MAX_TOKENS:
            raise BundleError(f"{TOKENS}: {one.id}", f"There are more than {MAX_TOKENS} tokens on its map.")
        place = clamped(map_row.grid_type, one.x, one.y, one.size, map_row.width, map_row.height)
        is_between = map_row.grid_type != "none" and not (one.x.is_integer() and one.y.is_integer())
        if place != (one.x, one.y) or is_between:
            raise BundleError(f"{TOKENS}: {one.id}", "It is outside the map, or between cells.")
        ids = {"map_id": self._maps[one.map_id], "character_id": self._ids.get(one.character_id or "")}
        return {**one.model_dump(mode="json"), **ids, "asset_id": self._assets.get(one.asset_id or "")}

    def _note(self, one: BundledNote) -> dict[str, Any]:
        body = PICTURE.sub(
            lambda found: found[0].replace(found[1], self._assets.get(found[1], found[1])), one.body
        )
        shown = sorted(str(picture) for picture in pictures(body) if str(picture) in self._assets.values())
        fields = {**one.model_dump(), "body": body, "asset_ids": shown, "map_id": self._maps.get(one.map_id or "")}
        if fields["map_id"] is None or one.x is None or one.y is None:
            fields |= dict.fromkeys(("map_id", "x", "y"))
        return fields

    def _encounter(self, one: BundledEncounter) -> dict[str, Any]:
        fields = {**one.model_dump(mode="json"), "map_id": self._maps.get(one.map_id or "")}
        for combatant in fields["combatants"]:
            for name in ("token_id", "character_id"):
                combatant[name] = self._ids.get(combatant[name])
            for effect in combatant["effects"]:
                if effect["rounds"] is None:
                    del effect["rounds"]
        return fields

    def _roll(self, one: BundledRoll) -> dict[str, Any]:
        # Absent fields of terms and dice are left out again.
        fields = one.model_dump(exclude_unset=True)
        return {**fields, "nonce": "", "character_id": self._ids.get(one.character_id or "")}

    def _message(self, one: BundledMessage) -> dict[str, Any]:
        return {**one.model_dump(), "character_id": self._ids.get(one.character_id or "")}

    def _events(self) -> int:
        count = 0
        columns = ("seqs", "kinds", "subject_ids", "payloads", "befores", "times")
        batch = _Batch(self._records, "events", columns)
        for count, line in enumerate(self._reader.events(), 1):
            event = _event(line, count)
            payload, before = self._text(event.payload), self._text(event.before)
            length = len(payload or "") + len(before or "")
            self._bytes["event"] += length
            batch.add(
                length, count, event.kind, self._subject(event), payload, before, event.created_at.isoformat()
            )
        batch.write()
        return count

    def _subject(self, event: BundledEvent) -> str | None:
        """The new id of an event's subject; None for the universe."""
        if event.kind.startswith("universe."):
            return None
        known = self._assets.get(event.subject_id) or self._ids.get(event.subject_id)
        return known or self._ids.setdefault(event.subject_id, str(uuid7()))

    def _text(self, value: Any) -> str | None:
        return None if value is None else self._relinked(orjson.dumps(value).decode())

    def _relinked(self, text: str) -> str:
        """JSON text with the old ids of assets replaced by the new ones."""
        return _ASSET_ID.sub(lambda found: f'"asset_id":"{self._assets.get(found[1], found[1])}"', text)

    def _write(self, kind: str, **fields: Any) -> None:
        _write(self._records, kind, **fields)


def _write(records: gzip.GzipFile, kind: str, **fields: Any) -> None:
    records.write(orjson.dumps({"kind": kind, **fields}) + b"\n")


class _Batch:
    """Collects rows of one kind, and writes them as columns in batches."""

    def __init__(self, records: gzip.GzipFile, kind: str, columns: tuple[str, ...], **fields: Any) -> None:
        self._records, self._kind, self._columns, self._fields = records, kind, columns, fields
        self._rows: list[tuple[Any, ...]] = []
        self._bytes = 0

    def add(self, length: int, *row: Any) -> None:
        self._rows.append(row)
        # Includes the JSON around the rows.
        self._bytes += length + 200
        if self._bytes > _BATCH_BYTES:
            self.write()

    def write(self) -> None:
        if self._rows:
            columns = dict(zip(self._columns, map(list, zip(*self._rows, strict=True)), strict=True))
            _write(self._records, self._kind, **self._fields, **columns)
        self._rows, self._bytes = [], 0


def _event(line: bytes, seq: int) -> BundledEvent:
    """A validated event of the log.

    Raises:
        BundleError: it is invalid; names the line.
    """
    place = f"{EVENTS}: line {seq}"
    # The general checks of JSON, except for the keys of layers, which are checked with the stored data.
    value = _parsed(_MARKED.sub(b'"rows":0', line), place, MAX_EVENT_DEPTH)
    event: BundledEvent = _shaped(BundledEvent, value, place)
    if event.seq != seq:
        raise BundleError(f"{place}: seq", f"The events must be numbered without gaps: {seq} comes here.")
    if shape := PAYLOADS.get(event.kind):
        _shaped(shape, event.payload, place, "payload")
    for key in ("of", "seq"):
        if type(event.payload.get(key)) is int and event.payload[key] >= seq:
            raise BundleError(f"{place}: payload.{key}", "It refers to a later event.")
    if event.before is None and event.kind not in CHANGES:
        return event
    before = orjson.loads(line).get("before")
    try:
        check_before(before, is_of_token=event.kind.startswith("token."))
    except StoredError as error:
        raise BundleError(f"{place}: {error.place}", error.message) from None
    if event.kind in CHANGES and "change" not in before:
        raise BundleError(f"{place}: before", "The change is missing.")
    return event.model_copy(update={"before": before})


def _shaped(shape: type[Fields], value: Any, file: str, at: str = "") -> Any:
    """A value at a place in a file, validated by one of the API's models as if a client had sent it."""
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(filter(None, [at, *(str(part)[:64] for part in fault["loc"])]))
        raise BundleError(f"{file}: {where}" if where else file, str(fault["msg"])) from None


def _parsed(text: bytes, place: str, max_depth: int = MAX_DEPTH) -> Any:
    try:
        return parse(text, max_depth)
    except JsonRefused as refused:
        raise BundleError(f"{place}: {refused.place}" if refused.place else place, refused.message) from None
