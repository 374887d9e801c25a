"""Users and their sessions."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, EmailStr, StringConstraints, TypeAdapter, ValidationError
from pydantic import Field as Constraint
from sqlalchemy import CheckConstraint, Index, LargeBinary, func
from sqlmodel import Field, SQLModel

from game.core.ids import uuid7
from game.core.models import ApiModel, Document, Name, Timestamp, example, timestamp_column, unset

MAX_EMAIL = 254
MIN_PASSWORD, MAX_PASSWORD = 8, 128
MAX_SESSIONS = 100
"""The maximum number of sessions of a user; a new one evicts the least recently used one."""
GRACE_SECONDS = 10
"""How long a used refresh token still returns the same new token."""


def _short_enough(value: Any) -> Any:
    # Checked before the address is parsed, because parsing megabytes is slow.
    if isinstance(value, str) and len(value) > MAX_EMAIL:
        raise ValueError(f"an e-mail address has at most {MAX_EMAIL} characters")
    return value


Email = Annotated[EmailStr, BeforeValidator(_short_enough)]
_EMAIL = TypeAdapter[str](Email)


def as_stored(email: str) -> str:
    """Normalize an address as sign-up does, so that a log-in finds it; an invalid one is returned unchanged."""
    try:
        return _EMAIL.validate_python(email)
    except ValidationError:
        return email


Password = Annotated[str, StringConstraints(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)]


class User(Document, table=True):
    """A user account."""

    __tablename__ = "account"

    email: str = Field(max_length=MAX_EMAIL)
    hashed_password: str = Field(max_length=1024)
    display_name: str = Field(max_length=100)
    is_active: bool = True
    is_superuser: bool = False
    is_verified: bool = False
    # The address that the account gets when its owner has opened the link in the mail that was sent there.
    pending_email: str | None = Field(default=None, max_length=MAX_EMAIL)

    __table_args__ = (CheckConstraint("version > 0", name="version_positive"),)

    def __repr__(self) -> str:
        return f"<User {self.id}>"

    __str__ = __repr__


# FastAPI Users looks addresses up by lower(email); the index must agree with it.
Index("uq_account_email_lower", func.lower(User.__table__.c.email), unique=True)  # type: ignore[attr-defined]  # SQLAlchemy adds it


def default_display_name(user_id: UUID) -> str:
    """The default display name, which does not reveal the e-mail address."""
    return f"player-{user_id.hex[-4:]}"


class AuthSession(SQLModel, table=True):
    """A session on one device. Its access tokens are valid while it exists. Only a hash of its refresh token is
    stored."""

    __tablename__ = "auth_session"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    user_id: UUID = Field(foreign_key="account.id", ondelete="CASCADE", index=True)
    refresh_hash: bytes = Field(sa_type=LargeBinary)
    user_agent: str = Field(max_length=200)
    ip_address: str = Field(max_length=45)
    created_at: datetime = timestamp_column()
    # When it was created, or its refresh token was last used.
    last_used_at: datetime = timestamp_column()
    expires_at: datetime = timestamp_column(index=True)


_EXAMPLE = {"email": "mira@example.com", "password": "correct horse battery", "display_name": "Mira"}


class UserRead(ApiModel):
    """A user, as they see themselves."""

    id: UUID
    email: str
    display_name: str
    is_active: bool
    is_superuser: bool
    is_verified: bool
    version: int
    created_at: Timestamp
    updated_at: Timestamp


class MeRead(UserRead):
    """Your own account."""

    pending_email: str | None = Field(
        description="The new address, until it is confirmed by the link in the mail that was sent there."
    )


class UserRegister(ApiModel):
    """Creates an account."""

    model_config = example(_EXAMPLE)

    email: Email
    password: Password
    display_name: Name = Constraint(
        default_factory=lambda: "",
        description="The name that other players see. Default: `player-` and four characters of the id.",
    )


class UserUpdateMe(ApiModel):
    """Changes one's own account; a new password or e-mail address needs the current password."""

    model_config = example({"display_name": "Mira of the Marsh"})

    email: Email = unset()
    display_name: Name = unset()
    password: Password = unset()
    current_password: Annotated[str, StringConstraints(max_length=MAX_PASSWORD)] = unset()


class UserUpdate(ApiModel):
    """Changes an account. For superusers."""

    model_config = example({"is_active": False})

    email: Email = unset()
    display_name: Name = unset()
    password: Password = unset()
    is_active: bool = unset()
    is_superuser: bool = unset()
    is_verified: bool = unset()


class UserPage(ApiModel):
    """A page of users."""

    items: list[UserRead]
    next_cursor: str | None


class TokenPair(ApiModel):
    """The tokens of a session. Send the access token as `Authorization: Bearer ...`, and store the refresh
    token."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the token type of RFC 6750
    expires_in: int = Field(description="Seconds until the access token expires.")


class RefreshToken(ApiModel):
    """Requests a new pair of tokens."""

    model_config = example({"refresh_token": "AZrj…"})

    refresh_token: Annotated[str, StringConstraints(max_length=200)]


class AuthSessionRead(ApiModel):
    """A session of the caller."""

    id: UUID
    user_agent: str
    ip_address: str
    current: bool = Field(description="Whether it is the session of this request.")
    created_at: Timestamp
    last_used_at: Timestamp
    expires_at: Timestamp


class AuthSessionPage(ApiModel):
    """The caller's sessions, newest first."""

    items: list[AuthSessionRead]
    next_cursor: str | None = None


class EmailOnly(ApiModel):
    """An e-mail address."""

    model_config = example({"email": "mira@example.com"})

    email: Email


class Token(ApiModel):
    """A token from a mail."""

    model_config = example({"token": "eyJhbGciOi…"})

    token: Annotated[str, StringConstraints(max_length=2000)]


class ResetPassword(Token):
    """Sets a new password, with a token from a mail."""

    model_config = example({"token": "eyJhbGciOi…", "password": "a better horse battery"})

    password: Password


class Accepted(ApiModel):
    """The request was accepted; the response does not tell whether the account exists."""

    detail: str = "If the account exists, a mail has been sent."
