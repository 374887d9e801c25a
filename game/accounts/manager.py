"""FastAPI Users, the way this project uses it: in the request's transaction, hashing off the event loop.

What it does for us: finding an account by its address, the tokens in mails, the names of what can go wrong. Its
own way of changing an account neither holds the row nor ends a log-in. Nothing outside of `game/accounts` knows of
it.
"""

import hmac
from typing import Any
from uuid import UUID

import jwt
from fastapi_users import BaseUserManager, UUIDIDMixin, exceptions
from fastapi_users.db import SQLAlchemyUserDatabase
from fastapi_users.jwt import decode_jwt, generate_jwt
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from game.accounts import queries
from game.accounts.models import User
from game.accounts.passwords import hash_password, verify_password
from game.accounts.tokens import derive_key

AddressTaken = exceptions.UserAlreadyExists
"""Raised when an address has an account already."""


class _UserDatabase(SQLAlchemyUserDatabase[User, UUID]):
    """The library's adapter, flushing where it would commit: the commit is the request's."""

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
        await self.session.flush()

    async def _flush(self) -> None:
        try:
            await self.session.flush()
        except IntegrityError:
            # Somebody else took the address between the look and the write.
            raise exceptions.UserAlreadyExists from None


class UserManager(UUIDIDMixin, BaseUserManager[User, UUID]):
    """Accounts in one transaction."""

    def __init__(self, session: AsyncSession, secret: str) -> None:
        super().__init__(_UserDatabase(session, User))
        self._session = session
        self.reset_password_token_secret = derive_key(secret, "reset")
        self.verification_token_secret = derive_key(secret, "verify")

    async def sign_up(self, email: str, password: str, display_name: str, **flags: bool) -> User:
        """A new account.

        Raises:
            exceptions.UserAlreadyExists: the address has one.
        """
        # Before the first look at the database: no connection is held while this waits for its turn.
        hashed = await hash_password(password)
        if await self.user_db.get_by_email(email) is not None:
            raise exceptions.UserAlreadyExists
        fields = {"email": email, "hashed_password": hashed, "display_name": display_name, **flags}
        return await self.user_db.create(fields)

    async def log_in(self, email: str, password: str) -> User | None:
        """The active user with this address and password, held; takes as long when there is none.

        Gives the connection back while it hashes, and with it what was not committed.
        """
        user = await self.user_db.get_by_email(email)
        user_id, hashed = (user.id, user.hashed_password) if user else (None, None)
        # A wave of log-ins waits for the processor, and must not keep everybody else from the database meanwhile.
        await self._session.rollback()
        right, stronger = await verify_password(password, hashed)
        if user_id is None or not right:
            return None
        # As the account is now: who changed the password meanwhile has just ended all log-ins with the old one.
        user = await queries.held(self._session, user_id)
        if user is None or not user.is_active or user.hashed_password != hashed:
            return None
        if stronger is not None:
            # No new version: nothing that anybody sees has changed.
            user.hashed_password = stronger
        return user

    async def change(self, user: User, fields: dict[str, Any], session_to_keep: UUID | None = None) -> User:
        """Change a locked account; a new password, a deactivation or a demotion ends its log-ins, but for one.

        Raises:
            exceptions.UserAlreadyExists: the new address has an account.
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
            await queries.end_sessions(self._session, user.id, but=session_to_keep)
        return user

    def reset_token(self, user: User) -> str:
        """A token that sets a new password, once: it names the password it replaces, and the address."""
        claims = {
            "sub": str(user.id),
            "for": self._fingerprint(user),
            "aud": self.reset_password_token_audience,
        }
        return generate_jwt(claims, self.reset_password_token_secret, self.reset_password_token_lifetime_seconds)

    async def reset(self, token: str, password: str) -> User:
        """Set a new password with a token, and end all log-ins.

        Raises:
            exceptions.InvalidResetPasswordToken: it is not such a token, has expired, or was used.
        """
        try:
            claims = decode_jwt(token, self.reset_password_token_secret, [self.reset_password_token_audience])
        except jwt.PyJWTError:
            raise exceptions.InvalidResetPasswordToken from None
        user = await queries.held(self._session, UUID(claims["sub"]))
        if user is None or not user.is_active or not hmac.compare_digest(claims["for"], self._fingerprint(user)):
            raise exceptions.InvalidResetPasswordToken
        return await self.change(user, {"password": password})

    def verify_token(self, user: User) -> str:
        """A token that proves that its bearer reads the mail of the user's address."""
        claims = {"sub": str(user.id), "email": user.email, "aud": self.verification_token_audience}
        return generate_jwt(claims, self.verification_token_secret, self.verification_token_lifetime_seconds)

    async def verify_address(self, token: str) -> User:
        """Mark the address of an account as verified, with a token.

        Raises:
            exceptions.InvalidVerifyToken: it is not such a token, has expired, or was for another address.
            exceptions.UserAlreadyVerified: the address is verified already.
        """
        try:
            claims = decode_jwt(token, self.verification_token_secret, [self.verification_token_audience])
        except jwt.PyJWTError:
            raise exceptions.InvalidVerifyToken from None
        user = await queries.held(self._session, UUID(claims["sub"]))
        if user is None or not user.is_active or user.email != claims["email"]:
            raise exceptions.InvalidVerifyToken
        if user.is_verified:
            raise exceptions.UserAlreadyVerified
        return await self.user_db.update(user, {"is_verified": True})

    def _fingerprint(self, user: User) -> str:
        return derive_key(str(self.reset_password_token_secret), f"{user.hashed_password} {user.email}")
