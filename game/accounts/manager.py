"""FastAPI Users as this project uses it: in the request's transaction, and hashing off the event loop.

The library finds accounts by address, and signs the tokens in mails. Its own update methods are not used: they
neither lock the row nor end sessions. Nothing outside of `game/accounts` imports it.
"""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from uuid import UUID

import jwt
from fastapi_users import BaseUserManager, UUIDIDMixin
from fastapi_users.db import SQLAlchemyUserDatabase
from fastapi_users.jwt import decode_jwt, generate_jwt
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts import queries
from game.accounts.errors import (
    AlreadyVerified,
    BadResetToken,
    BadVerifyToken,
    OwnsUniverses,
    UserAlreadyExists,
)
from game.accounts.models import User, default_display_name
from game.accounts.passwords import hash_password, verify_password
from game.accounts.tokens import derive_key
from game.core.ids import uuid7

BEFORE_REMOVAL: list[Callable[[AsyncSession, User, User], Awaitable[None]]] = []
"""What is called with an account before it is deleted, and with who deletes it: `game.members`, which this module
must not import."""


class _UserDatabase(SQLAlchemyUserDatabase[User, UUID]):
    """The library's adapter; it flushes instead of committing, because the request commits."""

    async def create(self, create_dict: dict[str, Any]) -> User:
        user = User(**create_dict)
        self.session.add(user)
        await self._flush()
        return user

    async def update(self, user: User, update_dict: dict[str, Any]) -> User:
        changed = {name: value for name, value in update_dict.items() if getattr(user, name) != value}
        for name, value in changed.items():
            setattr(user, name, value)
        if changed:
            user.touch()
            await self._flush()
        return user

    async def _flush(self) -> None:
        try:
            await self.session.flush()
        except IntegrityError:
            # Another request took the address between our check and this write.
            raise UserAlreadyExists from None


class Verified(NamedTuple):
    """An account whose address was verified, and the address that it replaced, if any."""

    user: User
    old_address: str | None


class UserManager(UUIDIDMixin, BaseUserManager[User, UUID]):
    """Creates, checks and changes accounts in one transaction."""

    def __init__(self, session: AsyncSession, secret: str) -> None:
        super().__init__(_UserDatabase(session, User))
        self._session = session
        self.reset_password_token_secret = derive_key(secret, "reset")
        self.verification_token_secret = derive_key(secret, "verify")

    async def sign_up(self, email: str, password: str, display_name: str, **flags: bool) -> User:
        """Create an account; without a name, one is derived from its id.

        Raises:
            UserAlreadyExists: the address has one already.
        """
        # Before the first query: a request that waits for a hashing thread must not hold a database connection.
        hashed = await hash_password(password)
        if await self.user_db.get_by_email(email) is not None:
            raise UserAlreadyExists
        user_id = uuid7()
        name = display_name or default_display_name(user_id)
        return await self.user_db.create(
            {"id": user_id, "email": email, "hashed_password": hashed, "display_name": name, **flags}
        )

    async def log_in(self, email: str, password: str) -> User | None:
        """The active user with this address and password, locked; None if there is none, after the same time.

        Rolls the transaction back while it hashes, to release the connection.
        """
        found = await self.user_db.get_by_email(email)
        await self.release_connection()
        matches, stronger = await verify_password(password, found.hashed_password if found else None)
        if found is None or not matches:
            return None
        # Read it again: if the password was changed meanwhile, all sessions of the old one were ended.
        user = await queries.lock(self._session, found.id)
        if user is None or not user.is_active or user.hashed_password != found.hashed_password:
            return None
        if stronger is not None:
            # The version stays the same: nothing that clients see has changed.
            user.hashed_password = stronger
        return user

    async def is_password_of(self, user: User, password: str) -> bool:
        """Whether this is a user's password. Rolls the transaction back while it hashes."""
        await self.release_connection()
        matches, _ = await verify_password(password, user.hashed_password)
        return matches

    @staticmethod
    async def with_hash(fields: dict[str, Any]) -> dict[str, Any]:
        """The fields for `change`, with the hash of the password instead of the password."""
        if "password" not in fields:
            return fields
        others = {name: value for name, value in fields.items() if name != "password"}
        return {**others, "hashed_password": await hash_password(fields["password"])}

    async def release_connection(self) -> None:
        """Roll back before hashing: requests that wait for the processor must not occupy the connection pool.

        Rows that were read stay readable, but no longer belong to the transaction.
        """
        self._session.expunge_all()
        await self._session.rollback()

    async def change(self, user: User, fields: dict[str, Any], session_to_keep: UUID | None = None) -> User:
        """Change a locked account; a new password, a deactivation or a demotion ends all sessions but one.

        Args:
            user: locked in this transaction.
            fields: new values of columns, from `with_hash`.
            session_to_keep: a session that is not ended.

        Raises:
            UserAlreadyExists: the new address has an account already.
        """
        fields = dict(fields)
        demotes = user.is_superuser and fields.get("is_superuser") is False
        ends_sessions = "hashed_password" in fields or fields.get("is_active") is False or demotes
        new_email = fields.get("email", user.email)
        if new_email.lower() != user.email.lower():
            fields.setdefault("is_verified", False)
        if new_email != user.email or "hashed_password" in fields:
            # The pending change may have been requested by an attacker before the owner set a new password.
            fields.setdefault("pending_email", None)
        user = await self.user_db.update(user, fields)
        if ends_sessions:
            await queries.end_sessions(self._session, user.id, keep=session_to_keep)
        return user

    async def remove(self, user: User, actor: User) -> None:
        """Delete a locked account, in the name of `actor`.

        Raises:
            OwnsUniverses: it owns universes.
        """
        for prepare in BEFORE_REMOVAL:
            await prepare(self._session, user, actor)
        # From here on no new row can refer to the account. Again, for what it has joined in the meantime.
        await self._session.refresh(user, with_for_update=True)
        for prepare in BEFORE_REMOVAL:
            await prepare(self._session, user, actor)
        await self._session.delete(user)
        try:
            await self._session.flush()
        except IntegrityError:
            # It owns a universe by now.
            raise OwnsUniverses from None

    def reset_token(self, user: User) -> str:
        """A token that sets a new password once: it is bound to the current password and address."""
        claims = {
            "sub": str(user.id),
            "for": self._fingerprint(user),
            "aud": self.reset_password_token_audience,
        }
        return generate_jwt(claims, self.reset_password_token_secret, self.reset_password_token_lifetime_seconds)

    async def reset(self, token: str, password: str) -> User:
        """Set a new password with a token, and end all sessions.

        Raises:
            BadResetToken: the token is invalid, has expired, or was already used.
        """
        try:
            claims = decode_jwt(token, self.reset_password_token_secret, [self.reset_password_token_audience])
        except jwt.PyJWTError:
            raise BadResetToken from None
        self._check_reset(claims, await queries.by_id(self._session, UUID(claims["sub"])))
        await self.release_connection()
        fields = await self.with_hash({"password": password})
        user = self._check_reset(claims, await queries.lock(self._session, UUID(claims["sub"])))
        return await self.change(user, fields)

    def _check_reset(self, claims: dict[str, Any], user: User | None) -> User:
        if user is None or not user.is_active or not hmac.compare_digest(claims["for"], self._fingerprint(user)):
            raise BadResetToken
        return user

    async def change_own(self, user: User, fields: dict[str, Any], session_id: UUID) -> User:
        """Change a locked account for its owner: a new address is pending until `verify_address` confirms it.

        Raises:
            UserAlreadyExists: the new address has an account already.
        """
        fields = dict(fields)
        email = fields.pop("email", None)
        if email is not None:
            is_same = email.lower() == user.email.lower()
            if is_same:
                fields["email"] = email
            elif await self.user_db.get_by_email(email) is not None:
                raise UserAlreadyExists
            fields["pending_email"] = None if is_same else email
        return await self.change(user, fields, session_to_keep=session_id)

    def verify_token(self, user: User, email: str | None = None) -> str:
        """A token that proves that its bearer receives mail at the user's address, or at a pending `email`."""
        claims = {"sub": str(user.id), "email": email or user.email, "aud": self.verification_token_audience}
        return generate_jwt(claims, self.verification_token_secret, self.verification_token_lifetime_seconds)

    async def verify_address(self, token: str) -> Verified:
        """Mark the address of an account as verified with a token, or change it to the pending one.

        Raises:
            BadVerifyToken: the token is invalid, has expired, or is for another address.
            AlreadyVerified: the address is verified already.
            UserAlreadyExists: another account got the pending address meanwhile.
        """
        try:
            claims = decode_jwt(token, self.verification_token_secret, [self.verification_token_audience])
        except jwt.PyJWTError:
            raise BadVerifyToken from None
        user = await queries.lock(self._session, UUID(claims["sub"]))
        if user is None or not user.is_active or claims["email"] not in (user.email, user.pending_email):
            raise BadVerifyToken
        if claims["email"] == user.pending_email:
            old_address = user.email
            fields = {"email": user.pending_email, "is_verified": True, "pending_email": None}
            return Verified(await self.user_db.update(user, fields), old_address)
        if user.is_verified:
            raise AlreadyVerified
        return Verified(await self.user_db.update(user, {"is_verified": True}), None)

    def _fingerprint(self, user: User) -> str:
        return derive_key(str(self.reset_password_token_secret), f"{user.hashed_password} {user.email}")
