"""Loads the demo: its accounts, and the universe of the data files. Loading twice changes nothing."""

import json
import os
import secrets
from collections.abc import Mapping
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
from game.maps import changes as maps
from game.permissions import Role
from game.universes import queries as universes
from game.universes.models import Member, Universe
from seed import adventure

_FOLDER = Path(__file__).parent
_ACCOUNTS = {
    "superuser": "keeper@worldkeep.example",
    "game master": "gm@worldkeep.example",
    "player one": "ashe@worldkeep.example",
    "player two": "bram@worldkeep.example",
}
_NAMES = {"superuser": "Keeper", "game master": "Mira", "player one": "Ashe", "player two": "Bram"}


class DemoLogin(NamedTuple):
    """An account of the demo; without a password if it existed before."""

    role: str
    email: str
    password: str | None


def logins_file(settings: Settings) -> Path:
    """The file with the passwords of the demo."""
    return settings.data_dir / "demo-logins.json"


async def load_demo(settings: Settings) -> list[DemoLogin]:
    """Create the missing accounts of the demo, and its universe in a database without universes.

    Existing accounts are not changed, because in a restored backup they may belong to other users. Returns the
    log-ins.
    """
    file = logins_file(settings)
    known = _read_passwords(file)
    logins = []
    database = Database(settings)
    try:
        async with AsyncSession(database.engine, expire_on_commit=False) as session, session.begin():
            manager = UserManager(session, settings.secret())
            users = {}
            for role, email in _ACCOUNTS.items():
                password = known.get(email) or secrets.token_urlsafe(9)
                login, users[role] = await _demo_account(manager, role, email, password)
                logins.append(login)
            await _load_universe(session, users)
            # Before the accounts are committed, so that no password can get lost.
            _write_passwords(file, logins)
    finally:
        await database.close()
    return logins


async def _demo_account(manager: UserManager, role: str, email: str, password: str) -> tuple[DemoLogin, User]:
    user = await manager.user_db.get_by_email(email)
    if user is None:
        rights = {"is_superuser": role == "superuser", "is_verified": True}
        user = await manager.sign_up(email, password, _NAMES[role], **rights)
    matches, _ = await verify_password(password, user.hashed_password)
    return DemoLogin(role, email, password if matches else None), user


async def put_superuser(manager: UserManager, email: str, password: str) -> User:
    """Create an active, verified superuser with this address and password, or make an existing account one.

    Raises:
        pydantic.ValidationError: this is not an e-mail address.
    """
    address = UserRegister(email=email, password=password).email
    found = await manager.user_db.get_by_email(address)
    if found is None:
        return await manager.sign_up(address, password, "", is_superuser=True, is_verified=True)
    fields: dict[str, Any] = {"is_active": True, "is_verified": True, "is_superuser": True}
    if not (await verify_password(password, found.hashed_password))[0]:
        # Only if the password differs, because setting one ends all sessions.
        fields["password"] = password
    return await manager.change(found, await manager.with_hash(fields))


def _read_passwords(file: Path) -> dict[str, str]:
    """The passwords of the demo's accounts, by address."""
    if not file.exists():
        return {}
    return {one["email"]: one["password"] for one in json.loads(file.read_text()).values()}


def _write_passwords(file: Path, logins: list[DemoLogin]) -> None:
    """Store the known passwords in a file that only the server's user may read."""
    made = {one.role: {"email": one.email, "password": one.password} for one in logins if one.password}
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(made, out, indent=2)


def content() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The data files: the universe, and its maps."""
    universe = json.loads((_FOLDER / "universe.json").read_text(encoding="utf-8"))
    files = sorted((_FOLDER / "maps").glob("*.json"))
    return universe, [json.loads(file.read_text(encoding="utf-8")) for file in files]


async def _load_universe(session: AsyncSession, users: Mapping[str, User]) -> None:
    if (await session.execute(select(col(Universe.id)).limit(1))).first() is not None:
        return
    fields, documents = content()
    home = await universes.create(session, users["game master"], fields)
    session.add_all(
        Member(universe_id=home.universe.id, user_id=user.id, role=Role.player)
        for role, user in users.items()
        if role.startswith("player")
    )
    created = {}
    for one in documents:
        check(one["grid_data"])
        created[one["name"]] = (await maps.create(session, home, one)).row.id
    await adventure.load(session, home, created, users)
