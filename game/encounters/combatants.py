"""The combatants of an encounter: their stored form, and what players see of them.

Stored is a list of JSON objects: what clients send, completed with ids, names and bonuses, and `tiebreak`, a roll
that decides ties.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game import grants
from game.characters.models import Character
from game.core.errors import FieldError, Unprocessable
from game.core.ids import uuid7
from game.grants import Right
from game.maps.models import Map, Visibility
from game.maps.queries import WITHOUT_GRID, any_member
from game.play import tokens as played
from game.tokens import queries as tokens
from game.tokens.models import Token, json_number
from game.universes.access import Access

_SHOWN = ("id", "name", "initiative", "hidden", "defeated", "effects")
_OF_SHEET = "initiative_bonus"
_REFERENCES = ("token_id", "character_id")
_TIEBREAK_SIDES = 2**31
_MAX_BYTES = 2**20
"""The maximum size of all combatants of an encounter."""


@dataclass(frozen=True)
class Seen:
    """The maps, tokens and characters of encounters that a member sees."""

    map_ids: frozenset[UUID | None] = frozenset()
    ids: frozenset[str] = frozenset()
    sheets: frozenset[str] = frozenset()
    """The tokens and characters whose sheet they may read; the right to a token's sheet also reveals its
    character."""

    def for_players(self, one: Mapping[str, Any]) -> dict[str, Any] | None:
        """A combatant as a player sees it; None for a hidden one."""
        if one["hidden"]:
            return None
        shown = {name: one[name] for name in _SHOWN}
        named = {one[name] for name in _REFERENCES if one[name]}
        is_linked = len(named) < len(_REFERENCES) or not named.isdisjoint(self.sheets)
        names = _REFERENCES if is_linked else ("token_id",)
        shown |= {name: one[name] for name in names if one[name] in self.ids}
        # The bonus is only for members who may read the sheet that it comes from.
        has_sheet = _with_sheet(one) in self.sheets
        return {**shown, _OF_SHEET: one[_OF_SHEET]} if has_sheet else shown


def for_game_masters(one: Mapping[str, Any]) -> dict[str, Any]:
    """A combatant as game masters see it."""
    references = {name: one[name] for name in _REFERENCES if one[name] is not None}
    shown = {name: one[name] for name in (*_SHOWN, _OF_SHEET)} | references
    return shown if one["gm"] is None else {**shown, "gm": one["gm"]}


SHOWN_BYTES: Final[ColumnElement[int]] = literal_column("""
    (SELECT coalesce(sum(octet_length((one - ARRAY['gm', 'tiebreak', 'initiative_bonus'])::text)), 0)
        FROM jsonb_array_elements(encounter.combatants) one WHERE NOT (one->>'hidden')::bool)
""")
"""The size of what players may see of the combatants of an encounter."""


async def seen(session: AsyncSession, caller: Access, map_ids: set[UUID], listed: list[dict[str, Any]]) -> Seen:
    """Which of the maps, tokens and characters of encounters the caller sees."""
    universe_id = caller.universe.id
    if caller.is_game_master:
        return Seen(frozenset(map_ids))
    published = select(col(Map.id)).where(
        col(Map.universe_id) == universe_id, col(Map.visibility) == Visibility.members
    )
    maps = (await session.execute(published.where(col(Map.id).in_(map_ids)))).scalars().all() if map_ids else []
    ids = _referenced(listed)
    known = await _characters(session, caller, ids["character_id"])
    found = {one for one, _ in known}
    sheets = {one for one, is_read in known if is_read}
    for row, listed_tokens in await _tokens(session, caller, ids["token_id"]):
        found |= {str(one.row.id) for one in await played.seen(session, row, listed_tokens)}
        sheets |= {str(one.row.id) for one in listed_tokens if Right.sheet in one.rights}
    return Seen(frozenset(maps), frozenset(found), frozenset(sheets))


async def read_by_all(session: AsyncSession, caller: Access, listed: list[dict[str, Any]]) -> set[str]:
    """The ids of the combatants in a list whose bonus all members see, by grants to all members."""
    anybody = any_member(caller.universe)
    ids = _referenced(listed)
    sheets = {one for one, is_read in await _characters(session, anybody, ids["character_id"]) if is_read}
    for _, listed_tokens in await _tokens(session, anybody, ids["token_id"]):
        sheets |= {str(one.row.id) for one in listed_tokens if Right.sheet in one.rights}
    return {one["id"] for one in listed if not one["hidden"] and _with_sheet(one) in sheets}


def _referenced(listed: list[dict[str, Any]]) -> dict[str, set[UUID]]:
    """The tokens and characters that combatants refer to, without those of hidden ones."""
    return {name: {UUID(one[name]) for one in listed if one[name] and not one["hidden"]} for name in _REFERENCES}


def _with_sheet(one: Mapping[str, Any]) -> str | None:
    """The character or token of a combatant whose sheet its bonus comes from."""
    sheet_of: str | None = one["character_id"] or one["token_id"]
    return sheet_of


async def _characters(session: AsyncSession, caller: Access, ids: set[UUID]) -> list[tuple[str, bool]]:
    """The characters that a player sees, each with whether they may read its sheet."""
    if not ids:
        return []
    user_id = caller.user.id
    statement = select(col(Character.id), grants.granted(col(Character.grants), Right.sheet, user_id)).where(
        col(Character.universe_id) == caller.universe.id,
        col(Character.id).in_(ids),
        grants.granted(col(Character.grants), Right.see, user_id),
    )
    return [(str(character_id), is_read) for character_id, is_read in await session.execute(statement)]


async def _tokens(
    session: AsyncSession, caller: Access, token_ids: set[UUID]
) -> list[tuple[Map, list[tokens.Found]]]:
    """Tokens on published maps, by map."""
    if not token_ids:
        return []
    its_map = (col(Map.universe_id) == col(Token.universe_id)) & (col(Map.id) == col(Token.map_id))
    statement = tokens.with_character().add_columns(Map).join(Map, its_map)
    statement = statement.where(
        col(Token.universe_id) == caller.universe.id,
        col(Token.id).in_(token_ids),
        col(Map.visibility) == Visibility.members,
    )
    by_map: dict[UUID, tuple[Map, list[tokens.Found]]] = {}
    rows: Any = await session.execute(statement.options(*WITHOUT_GRID))
    for token, character, row in rows:
        by_map.setdefault(row.id, (row, []))[1].append(tokens.Found.of(token, caller, character))
    return [*by_map.values()]


async def complete(
    session: AsyncSession, caller: Access, given: list[dict[str, Any]], stored: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Combatants in their stored form.

    Raises:
        Unprocessable: an id is not one of those that are `stored`; a new reference to a token or character that
        does not exist; a name is missing; or they are too large together.
    """
    universe_id = caller.universe.id
    known = {one["id"]: one for one in stored}
    pieces = await _rows(session, Token, universe_id, {one["token_id"] for one in given})
    of_tokens = {token.character_id for token in pieces.values()}
    characters = await _rows(session, Character, universe_id, {one["character_id"] for one in given} | of_tokens)
    listed = []
    for index, one in enumerate(given):
        listed.append(_completed(one, known, pieces, characters, f"combatants[{index}]"))
    if len(orjson.dumps(listed)) > _MAX_BYTES:
        message = f"All combatants together may have at most {_MAX_BYTES} bytes as JSON."
        raise Unprocessable(errors=[FieldError("combatants", "too_large", message)])
    return listed


async def _rows(session: AsyncSession, model: Any, universe_id: UUID, ids: set[UUID | None]) -> dict[UUID, Any]:
    wanted = ids - {None}
    if not wanted:
        return {}
    statement = select(model).where(model.universe_id == universe_id, model.id.in_(wanted))
    return {row.id: row for row in (await session.execute(statement)).scalars()}


def _completed(
    one: dict[str, Any],
    known: Mapping[str, dict[str, Any]],
    pieces: Mapping[UUID, Token],
    characters: Mapping[UUID, Character],
    place: str,
) -> dict[str, Any]:
    if one["id"] is not None and str(one["id"]) not in known:
        raise _fault(place, "id", "not_found", "No combatant has this id.")
    old = known.get(str(one["id"]), {})
    for name, rows in (("token_id", pieces), ("character_id", characters)):
        # A reference to something that was deleted later may remain.
        if one[name] is not None and one[name] not in rows and str(one[name]) != old.get(name):
            raise _fault(
                place, name, "not_found", f"There is no such {name.removesuffix('_id')} in this universe."
            )
    token = pieces.get(one["token_id"]) if one["token_id"] else None
    character_id = one["character_id"] or (token.character_id if token else None)
    character = characters.get(character_id) if character_id else None
    # The token's name has priority: it is the one that players see, for example of a disguise.
    named = token or character
    name = one["name"] or (named.name if named else "")
    if not name:
        raise _fault(place, "name", "missing", "A combatant without a token or character needs a name.")
    bonus, hidden = one["initiative_bonus"], one["hidden"]
    return {
        **one,
        "id": str(one["id"] or uuid7()),
        "token_id": str(one["token_id"]) if one["token_id"] else None,
        "character_id": str(character_id) if character_id else None,
        "name": name,
        "hidden": (token is not None and token.hidden) if hidden is None else hidden,
        "initiative_bonus": _bonus(character) if bonus is None else bonus,
        "initiative": None if one["initiative"] is None else json_number(one["initiative"]),
        "tiebreak": old.get("tiebreak", secrets.randbelow(_TIEBREAK_SIDES)),
    }


def _fault(place: str, name: str, code: str, message: str) -> Unprocessable:
    return Unprocessable(errors=[FieldError(f"{place}.{name}", code, message)])


def _bonus(character: Character | None) -> int:
    """The bonus of a character's initiative: the one on its sheet, or the modifier of its dexterity (SRD 5.1,
    "Dexterity")."""
    sheet = character.sheet if character else {}
    if "initiative_bonus" in sheet:
        return int(sheet["initiative_bonus"])
    return (int(sheet.get("abilities", {}).get("dexterity", 10)) - 10) // 2
