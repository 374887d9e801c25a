"""FastAPI Users as this project uses it: in the request's transaction, and hashing off the event loop.

The library finds accounts by address, and signs the tokens in mails. Its own update methods are not used: they
neither lock the row nor end sessions. Nothing outside of `game/accounts` imports it.
"""

import hmac
from typing import Any
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
from game.accounts.models import User
from game.accounts.passwords import hash_password, verify_password
from game.accounts.tokens import derive_key


class _UserDatabase(SQLAlchemyUserDatabase[User, UUID]):
    """The library's adapter; it flushes where the original commits, because the request commits."""

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

    async def delete(self, user: User) -> None:
        await self.session.delete(user)
        try:
            await self.session.flush()
        except IntegrityError:
            raise OwnsUniverses from None

    async def _flush(self) -> None:
        try:
            await self.session.flush()
        except IntegrityError:
            # Another request took the address between our check and this write.
            raise UserAlreadyExists from None


class UserManager(UUIDIDMixin, BaseUserManager[User, UUID]):
    """Creates, checks and changes accounts in one transaction."""

    def __init__(self, session: AsyncSession, secret: str) -> None:
        super().__init__(_UserDatabase(session, User))
        self._session = session
        self.reset_password_token_secret = derive_key(secret, "reset")
        self.verification_token_secret = derive_key(secret, "verify")

    async def sign_up(self, email: str, password: str, display_name: str, **flags: bool) -> User:
        """Create an account.

        Raises:
            UserAlreadyExists: the address has one already.
        """
        # Before the first query: a request that waits for a hashing thread must not hold a database connection.
        hashed = await hash_password(password)
        if await self.user_db.get_by_email(email) is not None:
            raise UserAlreadyExists
        fields = {"email": email, "hashed_password": hashed, "display_name": display_name, **flags}
        return await self.user_db.create(fields)

    async def log_in(self, email: str, password: str) -> User | None:
        """The active user with this address and password, locked; None when there is none, after the same time.

        Rolls the transaction back while it hashes, to release the connection.
        """
        user = await self.user_db.get_by_email(email)
        user_id, hashed = (user.id, user.hashed_password) if user else (None, None)
        # Many log-ins at once wait for the processor, and must not occupy the connection pool meanwhile.
        await self._session.rollback()
        right, stronger = await verify_password(password, hashed)
        if user_id is None or not right:
            return None
        # Read it again: if the password was changed meanwhile, all sessions of the old one were ended.
        user = await queries.lock(self._session, user_id)
        if user is None or not user.is_active or user.hashed_password != hashed:
            return None
        if stronger is not None:
            # The version stays the same: nothing that clients see has changed.
            user.hashed_password = stronger
        return user

    async def change(self, user: User, fields: dict[str, Any], session_to_keep: UUID | None = None) -> User:
        """Change a locked account; a new password, a deactivation or a demotion ends all sessions but one.

        Raises:
            UserAlreadyExists: the new address has an account already.
        """
        fields = dict(fields)
        demotes = user.is_superuser and fields.get("is_superuser") is False
        ends_sessions = "password" in fields or fields.get("is_active") is False or demotes
        if "password" in fields:
            fields["hashed_password"] = await hash_password(fields.pop("password"))
        if fields.get("email", user.email).lower() != user.email.lower():
            fields.setdefault("is_verified", False)
        user = await self.user_db.update(user, fields)
        if ends_sessions:
            await queries.end_sessions(self._session, user.id, keep=session_to_keep)
        return user

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
            BadResetToken: it is not such a token, has expired, or was used.
        """
        try:
            claims = decode_jwt(token, self.reset_password_token_secret, [self.reset_password_token_audience])
        except jwt.PyJWTError:
            raise BadResetToken from None
        user = await queries.lock(self._session, UUID(claims["sub"]))
        if user is None or not user.is_active or not hmac.compare_digest(claims["for"], self._fingerprint(user)):
            raise BadResetToken
        return await self.change(user, {"password": password})

    def verify_token(self, user: User) -> str:
        """A token that proves that its bearer receives mail at the user's address."""
        claims = {"sub": str(user.id), "email": user.email, "aud": self.verification_token_audience}
        return generate_jwt(claims, self.verification_token_secret, self.verification_token_lifetime_seconds)

    async def verify_address(self, token: str) -> User:
        """Mark the address of an account as verified, with a token.

        Raises:
            BadVerifyToken: it is not such a token, has expired, or was for another address.
            AlreadyVerified: the address is verified already.
        """
        try:
            claims = decode_jwt(token, self.verification_token_secret, [self.verification_token_audience])
        except jwt.PyJWTError:
            raise BadVerifyToken from None
        user = await queries.lock(self._session, UUID(claims["sub"]))
        if user is None or not user.is_active or user.email != claims["email"]:
            raise BadVerifyToken
        if user.is_verified:
            raise AlreadyVerified
        return await self.user_db.update(user, {"is_verified": True})

    def _fingerprint(self, user: User) -> str:
        return derive_key(str(self.reset_password_token_secret), f"{user.hashed_password} {user.email}")
