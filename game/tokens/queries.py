"""The SQL of tokens, and what each member sees of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Row, Select, and_, case, func, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game import grants
from game.characters.models import Character
from game.characters.token_defaults import bars
from game.core.errors import NotFound
from game.core.tags import players_tag
from game.core.versions import Tagged
from game.grants import Right
from game.permissions import Role
from game.tokens.models import Token, json_number
from game.universes.access import Access

_NUMBERS = ("x", "y", "size", "rotation", "elevation")
OPEN = (*_NUMBERS, "name", "asset_id", "color", "disposition", "light", "conditions")
"""Fields for everybody who sees the token."""
SHEET = ("character_id", "sight", "properties")
"""Fields that need the right `sheet`."""
STORED = (*OPEN, *SHEET, "hidden", "bars", "grants", "gm")


@dataclass(frozen=True, slots=True)
class Found:
    """A token, the caller's access to its universe, and their rights from its grants and its character's."""

    row: Token
    access: Access
    rights: frozenset[Right]
    character: Mapping[str, Any]
    """Values of its character, see `with_character`; empty without a character."""

    @classmethod
    def of(cls, row: Token, caller: Access, character: Mapping[str, Any] | None) -> "Found":
        """A row with the rights of a caller."""
        character = character or {}
        rights = rights_of(row.grants, character.get("grants", {}), caller.user.id, caller.role)
        return cls(row, caller, rights, character)

    @property
    def character_grants(self) -> Mapping[str, list[str]]:
        """The grants of its character, which also apply to the token."""
        given: Mapping[str, list[str]] = self.character.get("grants", {})
        return given

    @property
    def bars(self) -> list[dict[str, Any]]:
        """Its bars, or the bar of its character's hit points."""
        return self.row.bars or bars(self.character.get("hit_points"))

    @property
    def is_shown(self) -> bool:
        """Whether the caller may know of it, regardless of its position."""
        return not self.row.hidden or Right.see in self.rights

    def read(self) -> dict[str, Any]:
        """The token as the caller may see it, as plain JSON values (see `TokenRead`)."""
        row, caller = self.row, self.access
        has_sheet = Right.sheet in self.rights
        fields: dict[str, Any] = {name: getattr(row, name) for name in ("id", "universe_id", "map_id", *OPEN)}
        fields |= {name: json_number(fields[name]) for name in _NUMBERS}
        fields["hidden"] = row.hidden
        fields["asset_id"] = row.asset_id or self.character.get("asset_id")
        fields["bars"] = self.bars if has_sheet else public_bars(self.bars)
        fields["grants"] = grants.shown(row.grants, caller.user.id, caller.role)
        if has_sheet:
            fields |= {name: getattr(row, name) for name in SHEET}
        if caller.is_game_master:
            fields |= {"gm": row.gm, "version": row.version, "updated_at": _time(row.updated_at)}
        return {**fields, "created_at": _time(row.created_at)}

    def for_drawing(self) -> dict[str, Any]:
        """The token in drawings of the map."""
        names = ("name", "x", "y", "size", "color", "disposition")
        return {name: getattr(self.row, name) for name in names}

    def document(self) -> Tagged:
        """The result of `read` as JSON text, with its tag."""
        body = as_json(self.read())
        if self.access.is_game_master:
            return Tagged(body, self.row.version)
        return Tagged(body, players_tag(self.row.etag_key, body))


def rights_of(
    own: Mapping[str, list[str]], characters: Mapping[str, list[str]], user_id: UUID, role: Role
) -> frozenset[Right]:
    """A member's rights, from a token's own grants and those of its character."""
    return grants.rights(own, user_id, role) | grants.rights(characters, user_id, role)


def as_json(value: Mapping[str, Any]) -> bytes:
    """The result of `read` as JSON text."""
    # The driver has its own subclass of UUID.
    return orjson.dumps(value, default=str)


def _time(value: Any) -> str:
    text: str = value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return text


def public_bars(bars: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The bars that everybody sees who sees the token."""
    return [bar for bar in bars if bar["public"]]


def character_values() -> ColumnElement[Any]:
    """The values of a character that its tokens use."""
    return func.jsonb_build_object(
        "grants",
        col(Character.grants),
        "name",
        col(Character.name),
        "asset_id",
        col(Character.asset_id),
        "hit_points",
        col(Character.sheet)["hit_points"],
    )


def with_character() -> Select[tuple[Token, Any]]:
    """Tokens, each with these values of its character: `grants`, `name`, `asset_id`, `hit_points`."""
    its = and_(col(Character.universe_id) == col(Token.universe_id), col(Character.id) == col(Token.character_id))
    taken = case((col(Character.id).is_not(None), character_values()))
    return select(Token, type_coerce(taken, JSONB)).outerjoin(Character, its)


ON_MAP = """
    (
        SELECT jsonb_agg(jsonb_build_array(
            to_jsonb(t),
            CASE WHEN c.id IS NOT NULL THEN jsonb_build_object(
                'grants', c.grants, 'name', c.name, 'asset_id', c.asset_id, 'hit_points', c.sheet->'hit_points'
            ) END,
            c.sheet->'senses'
        ) ORDER BY t.id)
        FROM token t LEFT JOIN character c ON c.universe_id = t.universe_id AND c.id = t.character_id
        WHERE t.universe_id = {universe_id} AND t.map_id = {map_id}
    )
"""
"""For the hot statements: the tokens of a map, each with the values of its character that `with_character`
selects, and the character's senses."""


async def of_map(session: AsyncSession, caller: Access, map_id: UUID) -> list[Found]:
    """All tokens of a map, hidden or not, in the order in which they were created."""
    on_map = col(Token.universe_id) == caller.universe.id, col(Token.map_id) == map_id
    rows: Iterable[Row[Any]] = await session.execute(with_character().where(*on_map).order_by(col(Token.id)))
    return [Found.of(row[0], caller, row[1]) for row in rows]


async def reload(session: AsyncSession, caller: Access, token_id: UUID) -> Found:
    """Read a token of a locked universe again.

    Raises:
        NotFound: it is gone.
    """
    statement = with_character().where(col(Token.universe_id) == caller.universe.id, col(Token.id) == token_id)
    row = (await session.execute(statement.execution_options(populate_existing=True))).one_or_none()
    if row is None:
        raise NotFound
    return Found.of(row[0], caller, row[1])
