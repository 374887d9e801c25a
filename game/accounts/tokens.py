"""Tokens: signed access tokens of one session, and refresh tokens that work once."""

import hashlib
import hmac
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple
from uuid import UUID

import jwt
from starlette.types import Scope

ACCESS_AUDIENCE = "worldkeep:access"
COOKIE = "worldkeep_session"
_ALGORITHM = "HS256"
_MAX_CACHED = 4096
_SESSION_BYTES = 16
_RANDOM_BYTES = 32


class Identity(NamedTuple):
    """The user and session that a token names. Only the database knows whether the session still exists."""

    user_id: UUID
    session_id: UUID
    expires_at: float
    by_cookie: bool = False


def derive_key(secret: str, purpose: str) -> str:
    """A separate key for each kind of token, so that one kind is never accepted as another."""
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()


class AccessTokens:
    """Signs and reads access tokens.

    Tokens that were read once are cached until they expire, so that a repeated request does not check the
    signature again. The session and the account are not cached, because they can change.
    """

    def __init__(self, secret: str) -> None:
        self._key = derive_key(secret, "access")
        self._cache: dict[bytes, Identity] = {}

    def sign(self, user_id: UUID, session_id: UUID, lifetime_seconds: int, issued_at: float | None = None) -> str:
        """A token for a session, valid for `lifetime_seconds` from `issued_at` (a Unix time; None: now)."""
        issued = int(time.time() if issued_at is None else issued_at)
        claims = {
            "sub": str(user_id),
            "sid": str(session_id),
            "aud": ACCESS_AUDIENCE,
            "iat": issued,
            "exp": issued + lifetime_seconds,
        }
        return jwt.encode(claims, self._key, _ALGORITHM)

    def read(self, token: bytes) -> Identity | None:
        """The identity in a token; None when this server did not sign it, or it has expired."""
        identity = self._cache.get(token)
        if identity is None:
            try:
                claims = jwt.decode(
                    token,
                    self._key,
                    [_ALGORITHM],
                    audience=ACCESS_AUDIENCE,
                    options={"require": ["sub", "sid", "exp", "aud"]},
                )
                identity = Identity(UUID(claims["sub"]), UUID(claims["sid"]), float(claims["exp"]))
            except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
                return None
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            self._cache[token] = identity
        if identity.expires_at <= time.time():
            self._cache.pop(token, None)
            return None
        return identity

    def identify(self, scope: Scope) -> Identity | None:
        """The identity in a request's Authorization header, or else in its cookie."""
        cookie = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                kind, _, token = value.partition(b" ")
                return self.read(token.strip()) if kind.lower() == b"bearer" else None
            if name == b"cookie":
                cookie = value
        if cookie:
            for part in cookie.split(b";"):
                name, _, value = part.strip().partition(b"=")
                if name == COOKIE.encode():
                    identity = self.read(value)
                    return identity._replace(by_cookie=True) if identity else None
        return None


class RefreshTokens:
    """Makes and reads refresh tokens: the session, 256 random bits, and a signature over both.

    The successor of a token is derived from it with a secret key, so that concurrent refreshes get the same one
    without storing it.

    The signature distinguishes a used token, whose second use ends the session, from a forged one: the id of a
    session is not enough to end it.
    """

    def __init__(self, secret: str) -> None:
        self._key = derive_key(secret, "refresh").encode()
        self._rotation_key = derive_key(secret, "refresh rotation").encode()

    def new(self, session_id: UUID) -> tuple[str, bytes]:
        """A new token for a session, and its hash to store."""
        return self._make(session_id.bytes + secrets.token_bytes(_RANDOM_BYTES))

    def successor(self, token: str) -> tuple[str, bytes]:
        """The token that replaces a valid one when it is used, and its hash; the same at each call."""
        raw = urlsafe_b64decode(token)
        random = hmac.new(self._rotation_key, raw, hashlib.sha256).digest()
        return self._make(raw[:_SESSION_BYTES] + random)

    def _make(self, signed: bytes) -> tuple[str, bytes]:
        raw = signed + self._signature(signed)
        return urlsafe_b64encode(raw).decode(), _hash(raw)

    def read(self, token: str) -> tuple[UUID, bytes] | None:
        """The session that a token belongs to, and the token's hash; None when this server did not sign it."""
        try:
            raw = urlsafe_b64decode(token.encode("ascii"))
        except ValueError:
            return None
        signed, signature = raw[: _SESSION_BYTES + _RANDOM_BYTES], raw[_SESSION_BYTES + _RANDOM_BYTES :]
        if not hmac.compare_digest(signature, self._signature(signed)):
            return None
        return UUID(bytes=signed[:_SESSION_BYTES]), _hash(raw)

    def _signature(self, signed: bytes) -> bytes:
        return hmac.new(self._key, signed, hashlib.sha256).digest()


def _hash(raw: bytes) -> bytes:
    # A fast hash is enough for 256 random bits.
    return hashlib.sha256(raw).digest()
