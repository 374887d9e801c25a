"""Loads the demo: its accounts, and the universe of the data files. Loading twice changes nothing."""

import json
import os
import secrets
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from game.accounts.manager import UserManager
from game.accounts.models import User, UserRegister
from game.accounts.passwords import verify_password
from game.core.database import Database
from game.core.settings import Settings
from game.grid.document import check
from game.maps import queries as maps
from game.universes import queries as universes
from game.universes.models import Universe

_FOLDER = Path(__file__).parent
_ACCOUNTS = {
    "superuser": "keeper@worldkeep.example",
    "game master": "gm@worldkeep.example",
    "player one": "ashe@worldkeep.example",
    "player two": "bram@worldkeep.example",
}


class DemoLogin(NamedTuple):
    """A log-in of the demo."""

    role: str
    email: str
    password: str


def logins_file(settings: Settings) -> Path:
    """The file with the log-ins of the demo."""
    return settings.data_dir / "demo-logins.json"


async def load_demo(settings: Settings) -> list[DemoLogin]:
    """Make the demo's accounts, and its universe in a database that has none; returns the log-ins."""
    logins = _logins(logins_file(settings))
    database = Database(settings)
    try:
        async with AsyncSession(database.engine, expire_on_commit=False) as session, session.begin():
            manager = UserManager(session, settings.secret())
            for role, email, password in logins:
                user = await put_account(manager, email, password, is_superuser=role == "superuser")
                if role == "game master":
                    await _load_universe(session, user)
    finally:
        await database.close()
    return logins


async def put_account(manager: UserManager, email: str, password: str, *, is_superuser: bool = False) -> User:
    """An active, verified account with this address and password, made when there is none.

    Raises:
        pydantic.ValidationError: the address is none.
    """
    fields = UserRegister(email=email, password=password)
    found = await manager.user_db.get_by_email(fields.email)
    if found is None:
        return await manager.sign_up(
            fields.email, password, fields.display_name, is_superuser=is_superuser, is_verified=True
        )
    wanted: dict[str, Any] = {"is_active": True, "is_verified": True}
    if is_superuser:
        wanted["is_superuser"] = True
    if not (await verify_password(password, found.hashed_password))[0]:
        # A new password ends all log-ins, so only where it is a new one.
        wanted["password"] = password
    return await manager.change(found, wanted)


def _logins(path: Path) -> list[DemoLogin]:
    """The demo's log-ins: passwords are made once, and kept in a file that only its owner may read."""
    if not path.exists():
        made = {role: {"email": email, "password": secrets.token_urlsafe(9)} for role, email in _ACCOUNTS.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(made, file, indent=2)
    kept = json.loads(path.read_text())
    return [DemoLogin(role, one["email"], one["password"]) for role, one in kept.items()]


def content() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The data files: the universe, and its maps."""
    universe = json.loads((_FOLDER / "universe.json").read_text(encoding="utf-8"))
    files = sorted((_FOLDER / "maps").glob("*.json"))
    return universe, [json.loads(file.read_text(encoding="utf-8")) for file in files]


async def _load_universe(session: AsyncSession, owner: User) -> None:
    if (await session.execute(select(col(Universe.id)).limit(1))).first() is not None:
        return
    fields, documents = content()
    home = await universes.create(session, owner, fields)
    for one in documents:
        check(one["grid_data"])
        await maps.create(session, home, one)
