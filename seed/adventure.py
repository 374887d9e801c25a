"""The demo's adventure: characters, tokens, an encounter and notes, on the maps of the demo.

The data refers to maps, characters and tokens by name, and to players by their role in the demo.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts.models import User
from game.characters import queries as characters
from game.characters.models import CharacterWrite
from game.encounters import queries as encounters
from game.encounters.models import EncounterWrite
from game.notes import queries as notes
from game.notes.models import NoteWrite
from game.play import tokens
from game.tokens.models import TokenCreate
from game.universes import access
from game.universes import queries as universes
from game.universes.access import Access

_FILE = Path(__file__).parent / "adventure.json"
_NAMES = {"map": "map_id", "character": "character_id", "token": "token_id"}

Ids = dict[tuple[str, str], UUID]
"""The ids of what has been created, by kind and name."""


def adventure() -> dict[str, Any]:
    """The data file."""
    found: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return found


async def load(session: AsyncSession, home: Access, maps: Mapping[str, UUID], users: Mapping[str, User]) -> None:
    """Create the whole adventure in the demo's universe, as its owner and its players."""
    data = adventure()
    ids: Ids = {("map", name): map_id for name, map_id in maps.items()}
    universe_id = home.universe.id
    for one in data["characters"]:
        character = CharacterWrite(**_resolved(one, ids, users))
        made = await characters.create(session, home, character.model_dump())
        ids["character", made.row.name] = made.row.id
    for one in data["tokens"]:
        fields = _resolved(one, ids, users)
        piece = await tokens.create(session, home.user, fields.pop("map_id"), TokenCreate(**fields).model_dump())
        ids["token", piece.row.name] = piece.row.id
    for one in data["encounters"]:
        listed = [_resolved(combatant, ids, users) for combatant in one["combatants"]]
        body = EncounterWrite(**{**_resolved(one, ids, users), "combatants": listed})
        await encounters.create(session, home, {**body.model_dump(), "combatants": body.stored_combatants()})
    for one in data["notes"]:
        writer = users[one["player"]] if "player" in one else home.user
        theirs = await access.get(session, writer, universe_id, "createNote")
        await notes.create(session, theirs, NoteWrite(**_resolved(one, ids, users)).model_dump())
    await universes.change(session, home, {"active_map_id": ids["map", data["active_map"]]})


def _resolved(one: Mapping[str, Any], ids: Ids, users: Mapping[str, User]) -> dict[str, Any]:
    """The fields for the API, with ids instead of names. Players may act for their characters."""
    fields: dict[str, Any] = {}
    for name, value in one.items():
        fields[_NAMES.get(name, name)] = ids[name, value] if name in _NAMES else value
    player = fields.pop("player", None)
    if "grants" in fields:
        holders = {role: str(user.id) for role, user in users.items()}
        given = {holders.get(holder, holder): rights for holder, rights in fields["grants"].items()}
        fields["grants"] = given | ({holders[player]: ["act"]} if player else {})
    return fields
