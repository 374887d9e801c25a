"""The admin's own database session: it shows and changes only what the logged-in user may see. Closed by default.

SQLAdmin queries the database in many places, so the rule is not in its views but in the session that they all
share: every statement gets the criteria of SHOWN for every model, and nothing is flushed outside the universes in
which the user is a game master. Without a logged-in user, or for a model without a rule, there are no rows. The
table of members determines these universes, as everywhere (`game.universes.access`); the queries that write check
`game.permissions`.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Table, and_, event, false, inspect, select, true
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria
from sqlalchemy.sql import visitors
from sqlmodel import SQLModel, col
from starlette.applications import Starlette

from game.accounts.models import AuthSession, User
from game.assets.models import Asset, PictureFile, StoredPicture
from game.characters.models import Character
from game.core.errors import NotFound
from game.encounters.models import Encounter, EncounterTurn
from game.events.hints import ANNOUNCE
from game.events.models import Event
from game.maps.models import Map, MapChunk
from game.members.models import Invitation
from game.messages.models import Message
from game.notes.models import Note
from game.permissions import GAME_MASTERS
from game.rolls.models import Roll, Visibility
from game.tokens.models import Token
from game.universes.access import SUPERUSERS_FIRST
from game.universes.models import Member, Universe
from game.universes.quotas import QUOTAS

PERSON: ContextVar[User | None] = ContextVar("person", default=None)
"""The user who is logged in to the admin; `admin.guard` sets it for each request."""

Rule = Callable[[Any, UUID], ColumnElement[bool]]


def person() -> User:
    """The logged-in user.

    Raises:
        NotFound: no user is logged in.
    """
    user = PERSON.get()
    if user is None:
        raise NotFound
    return user


def is_superuser() -> bool:
    """Whether the logged-in user is a superuser."""
    user = PERSON.get()
    return user is not None and user.is_superuser


def _runs(universe_id: Any, user_id: UUID) -> ColumnElement[bool]:
    """The condition that a user is a game master of a universe."""
    # The table, not the model, whose criteria would be added here recursively.
    member = inspect(Member).local_table
    own = select(member.c.universe_id).where(member.c.user_id == user_id, member.c.role.in_([*GAME_MASTERS]))
    condition: ColumnElement[bool] = universe_id.in_(own)
    return condition


def _in_own_universe(model: Any, user_id: UUID) -> ColumnElement[bool]:
    return _runs(model.universe_id, user_id)


SHOWN: Mapping[type[SQLModel], Rule] = {
    User: lambda model, user_id: model.id == user_id,
    AuthSession: lambda model, user_id: false(),
    Universe: lambda model, user_id: _runs(model.id, user_id),
    Member: _in_own_universe,
    Invitation: _in_own_universe,
    Map: _in_own_universe,
    MapChunk: _in_own_universe,
    Character: _in_own_universe,
    Note: _in_own_universe,
    Encounter: _in_own_universe,
    EncounterTurn: _in_own_universe,
    Token: _in_own_universe,
    Asset: _in_own_universe,
    StoredPicture: _in_own_universe,
    PictureFile: _in_own_universe,
    Event: _in_own_universe,
    Roll: _in_own_universe,
    Message: _in_own_universe,
}
"""The rows of each model that a game master may see. A superuser sees all rows of these models."""

_NOT_PRIVATE: Mapping[type[SQLModel], Callable[[Any], ColumnElement[bool]]] = {
    Roll: lambda model: model.visibility != Visibility.me,
    Message: lambda model: model.to.is_(None),
}
"""Private content, such as whispers, is not shown here at all, not even to those who may see it."""


def _criteria(model: type[Any], user: User | None) -> Any:
    if user is None or model not in SHOWN:
        return false()
    shown = true() if user.is_superuser else SHOWN[model](model, user.id)
    return and_(shown, _NOT_PRIVATE[model](model)) if model in _NOT_PRIVATE else shown


class ScopedSession(Session):
    """A session that is limited to what the logged-in user may see."""


@event.listens_for(ScopedSession, "do_orm_execute")
def _scope(state: ORMExecuteState) -> None:
    """Add the user's criteria to a statement; reject a statement to which they would not apply.

    Raises:
        RuntimeError: it uses tables without their models, or might move rows to other universes.
    """
    user = PERSON.get()
    if state.is_insert or state.is_update:
        # The criteria restrict which rows are found, not which values are written.
        raise RuntimeError(
            "the admin must create and change rows as objects, which are checked when they are flushed"
        )
    if state.is_select or state.is_delete:
        if not state.is_orm_statement or _bare_tables(state.statement):
            raise RuntimeError("the admin must use models: tables are not scoped")
        models = [mapper.class_ for mapper in SQLModel._sa_registry.mappers]
        state.statement = state.statement.options(
            *(with_loader_criteria(model, _criteria(model, user), include_aliases=True) for model in models)
        )


def _bare_tables(statement: Any) -> set[Any]:
    """The tables of a statement that are used without their models, to which the criteria would not apply."""
    bare, scoped = set(), set()
    for element in visitors.iterate(statement):
        if isinstance(element, Column | Table):
            model = element._annotations.get("parententity")
            if model is not None:
                scoped.add(model.mapper.local_table)
            else:
                bare.add(element.table if isinstance(element, Column) else element)
    # The columns of a subquery do not belong to a table.
    return {one for one in bare - scoped if isinstance(one, Table)}


@event.listens_for(ScopedSession, "before_flush")
def _refuse_foreign(session: Session, _: UOWTransaction, __: Any) -> None:
    """Check that no written row belongs to another universe, before or after the write.

    Raises:
        NotFound: such a row does not exist for this user.
    """
    user = PERSON.get()
    for row in (*session.new, *session.dirty, *session.deleted):
        if user is None or type(row) not in SHOWN:
            raise NotFound
        if not user.is_superuser and not _is_own(session, row, user):
            raise NotFound


def _is_own(session: Session, row: Any, user: User) -> bool:
    """Whether a row is in a universe of the game master, before and after the write."""
    created: set[UUID] = session.info.setdefault("created", set())
    if isinstance(row, Universe):
        if _old_and_new(row, "owner_id") != {row.owner_id} or (row in session.new and row.owner_id != user.id):
            return False
        if row in session.new:
            # Its first member is written by a separate flush.
            created.add(row.id)
        homes = {row.id}
    elif isinstance(
        row, Member | Invitation | Map | MapChunk | Character | Note | Encounter | EncounterTurn | Token | Asset
    ):
        homes = _old_and_new(row, "universe_id")
    else:
        return False
    if homes <= created:
        return True
    with session.no_autoflush:
        found = session.scalars(select(col(Universe.id)).where(col(Universe.id).in_(homes))).all()
    return set(found) == homes


def _old_and_new(row: Any, name: str) -> set[UUID]:
    history = inspect(row).attrs[name].load_history()
    return {value for values in history for value in values or () if value is not None}


class ScopedSessions(async_sessionmaker[AsyncSession]):
    """Creates scoped sessions on the engine of the running app."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(sync_session_class=ScopedSession, expire_on_commit=False, autoflush=False)
        self._app = app

    def __call__(self, **options: Any) -> AsyncSession:
        """A new session."""
        state = self._app.state
        info = {SUPERUSERS_FIRST: True, QUOTAS: state.quotas, ANNOUNCE: state.announce}
        return super().__call__(bind=state.database.engine, info=info, **options)
