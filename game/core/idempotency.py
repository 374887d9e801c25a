"""Idempotency-Key: a repeated POST gets the first response again, and is not executed twice.

The key, the write and the response are committed in one transaction. A second request with the same key waits for
the key's lock until the first has committed, then finds its response. The response is repeated only if the sender
may still see it; each endpoint defines that check.

Keys are locked before universes and maps. Code that has already locked one of these must use `try_lock`.

The response is stored compressed with the request's body as dictionary; the retry sends the same body again. So
the response to a map of 4 MB takes a few kilobytes.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, NamedTuple, Protocol, runtime_checkable
from uuid import UUID

import orjson
import zstandard
from fastapi import Depends, Header, Request, Response
from sqlalchemy import LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel
from starlette.types import Scope

from game.core.database import Session
from game.core.errors import Conflict, Unprocessable
from game.core.models import timestamp_column

_KEY = re.compile(rb"[\x21-\x7e]{1,200}")
_STORED_HEADERS = ("location", "etag", "content-type")


class IdempotencyKey(SQLModel, table=True):
    """A key that a user has sent, and the response to its request."""

    __tablename__ = "idempotency_key"

    user_id: UUID = Field(primary_key=True)
    key: str = Field(primary_key=True, max_length=200)
    fingerprint: bytes = Field(sa_type=LargeBinary)
    status: int | None = None
    headers: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    body: bytes | None = Field(
        default=None,
        sa_type=LargeBinary,
        description="What the response adds to the request, see `_compress`. None: it was too large to be stored.",
    )
    # The user's role at that time, if the response depends on it.
    role: str | None = Field(default=None, max_length=20)
    expires_at: datetime = timestamp_column(index=True)


class IdempotencyKeyReused(Unprocessable):
    """This Idempotency-Key was used for another request. Use a new key for a new request."""

    code = "IDEMPOTENCY_KEY_REUSED"


class ResponseNotStored(Conflict):
    """This request was already carried out, but its response was too large to be stored. Read what it created
    instead."""

    code = "IDEMPOTENT_ANSWER_NOT_KEPT"


class ResponseForAnotherRole(Conflict):
    """This request was already carried out when you had another role. Read what it created or changed."""

    code = "IDEMPOTENT_ANSWER_FOR_ANOTHER_ROLE"


@runtime_checkable
class HasRole(Protocol):
    """A resource, with the user's role in its universe."""

    @property
    def role(self) -> str:
        """Their role."""


_MAX_STORED = 512 * 2**10
"""Bytes of a response that are stored with a key."""
_MAX_DICTIONARY = 8 * 2**20
_INLINE_BYTES = 16 * 2**10
_LEVEL, _TABLE_LOG = 3, 22
"""Level 3 with tables for 4 million positions, which finds repetitions in megabytes."""
_WINDOW_LOG = 27

_INSERT = text("""
    WITH locked AS MATERIALIZED (SELECT pg_advisory_xact_lock(:lock))
    INSERT INTO idempotency_key AS k (user_id, key, fingerprint, expires_at)
    SELECT :user_id, :key, :fingerprint, now() + interval '24 hours' FROM locked
    ON CONFLICT (user_id, key) DO UPDATE
        SET fingerprint = excluded.fingerprint, expires_at = excluded.expires_at, status = NULL
        WHERE k.expires_at <= now()
    RETURNING true
""")
_IS_USED = text("SELECT EXISTS (SELECT FROM idempotency_key WHERE user_id = :user_id AND key = :key)")
_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock)")
_SELECT = text("""
    SELECT fingerprint, status, headers, body, role FROM idempotency_key WHERE user_id = :user_id AND key = :key
""")
_STORE = text("""
    UPDATE idempotency_key SET status = :status, headers = cast(:headers AS jsonb), body = :body, role = :role
    WHERE user_id = :user_id AND key = :key
""")


class Claim(NamedTuple):
    """The key of a request that a hot statement executes.

    Such a statement tries the lock (`pg_try_advisory_xact_lock`), stores the key with the response, and does
    nothing if the key already exists.
    """

    key: str
    lock: int
    fingerprint: bytes

    @classmethod
    def of(cls, scope: Scope, body: bytes, user_id: UUID) -> "Claim | None":
        """The key of a user's request; None if it has no key.

        Raises:
            ValueError: it has several keys, or an invalid one.
        """
        keys = [value for name, value in scope["headers"] if name == b"idempotency-key"]
        if not keys:
            return None
        if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
            raise ValueError("not a key")
        key = keys[0].decode()
        fingerprint = _fingerprint(scope["method"], scope["path"], scope["query_string"], body)
        return cls(key, _lock_id(user_id, key), fingerprint)


def compress_small(stored: bytes, request: bytes) -> bytes:
    """The stored form of a small response to a small request."""
    return _compress(stored, request)


class _Once:
    def __init__(
        self,
        request: Request,
        session: Session,
        key: Annotated[
            str | None,
            Header(
                alias="Idempotency-Key",
                min_length=1,
                max_length=200,
                pattern=r"^[\x21-\x7e]+$",
                description="Any unique value, such as a UUID. If you repeat the request with it within 24 hours, "
                "you get the first response again.",
            ),
        ] = None,
    ) -> None:
        self._request, self._session, self._key = request, session, key
        self._role: str | None = None

    @property
    def has_key(self) -> bool:
        """Whether the client sent a key."""
        return self._key is not None

    async def is_repeated(self, user_id: UUID) -> bool:
        """Whether the key was used before, so that the response is probably stored."""
        if self._key is None:
            return False
        return bool((await self._session.execute(_IS_USED, {"user_id": user_id, "key": self._key})).scalar_one())

    def within(self, session: AsyncSession) -> "_Once":
        """The same key in another transaction."""
        return _Once(self._request, session, self._key)

    def depend_on_role(self, role: str) -> None:
        """Set the role that the response depends on. It is not repeated if the user has another role by then."""
        self._role = role

    async def try_lock(self, user_id: UUID) -> bool:
        """Try to lock the key until the transaction ends; returns False at once if another request has locked
        it."""
        if self._key is None:
            return True
        locked = await self._session.execute(_TRY_LOCK, {"lock": _lock_id(user_id, self._key)})
        return bool(locked.scalar_one())

    async def __call__(
        self,
        user_id: UUID,
        make: Callable[[], Awaitable[Response]],
        *content: bytes,
        check: Callable[[Response], Awaitable[object]],
    ) -> Response:
        """Execute a write request, or repeat the response to this user's first request with this key.

        Two requests are the same if their methods, paths, queries and bodies are the same.

        Args:
            user_id: whose key it is. make: executes the request in the current transaction. content: compared
            instead of the body of an upload (names, files), whose boundary differs in each retry. check: called
            with the stored response before it is repeated; raises an error if the user may no longer see it,
                for example after leaving the universe. It returns the user's current role if `make` calls
                `depend_on_role`. It is not called for the first request: `make` checks permissions itself.

        Raises:
            NotFound, Forbidden: the user may no longer see the first response.
            IdempotencyKeyReused: the first request with this key was a different one.
            ResponseForAnotherRole: it was the same, but the user may see more or less with their current role.
            ResponseNotStored: it was the same, but its response was too large to be stored.
        """
        if self._key is None:
            return await make()
        body = b"" if content else await self._request.body()
        row_key = {"user_id": user_id, "key": self._key}
        fingerprint = self._fingerprint(*(content or (body,)))
        claim = {**row_key, "lock": _lock_id(user_id, self._key), "fingerprint": fingerprint}
        if (await self._session.execute(_INSERT, claim)).scalar() is None:
            first = (await self._session.execute(_SELECT, row_key)).one()
            if first.fingerprint != fingerprint:
                raise IdempotencyKeyReused
            is_stored = first.body is not None
            text = await _in_thread(_decompress, first.body, body) if is_stored else b""
            response = Response(text, first.status, first.headers)
            found = await check(response)
            if first.role is not None and isinstance(found, HasRole) and found.role != first.role:
                raise ResponseForAnotherRole(headers=_location(first.headers))
            if not is_stored:
                raise ResponseNotStored(headers=_location(first.headers))
            return response
        response = await make()
        headers = {name: response.headers[name] for name in _STORED_HEADERS if name in response.headers}
        # A streamed response has no body that could be stored.
        whole = getattr(response, "body", None)
        delta = None if whole is None else await _in_thread(_compress, bytes(whole), body)
        stored = {
            "status": response.status_code,
            "headers": orjson.dumps(headers).decode(),
            "body": delta if delta and len(delta) <= _MAX_STORED else None,
            "role": self._role,
        }
        await self._session.execute(_STORE, {**row_key, **stored})
        return response

    def _fingerprint(self, *content: bytes) -> bytes:
        request = self._request
        return _fingerprint(request.method, request.url.path, request.scope["query_string"], *content)


def _fingerprint(method: str, path: str, *parts: bytes) -> bytes:
    """A fingerprint of a request; `parts` are the query and the content."""
    digest = hashlib.sha256(f"{method} {path}\n".encode())
    for part in parts:
        # With its length, so that different lists of parts have different fingerprints.
        digest.update(b"%d\n" % len(part))
        digest.update(part)
    return digest.digest()


def _lock_id(user_id: UUID, key: str) -> int:
    """The number of a key's advisory lock. Two keys with the same number merely wait for each other."""
    return int.from_bytes(hashlib.sha256(f"{user_id} {key}".encode()).digest()[:8], signed=True)


def _location(headers: dict[str, str]) -> dict[str, str]:
    return {"Location": headers["location"]} if "location" in headers else {}


async def _in_thread(work: Callable[[bytes, bytes], bytes], data: bytes, request: bytes) -> bytes:
    if len(data) + len(request) <= _INLINE_BYTES:
        return work(data, request)
    return await asyncio.to_thread(work, data, request)


def _dictionary(request: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(request[:_MAX_DICTIONARY], dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def _compress(stored: bytes, request: bytes) -> bytes:
    """A response compressed with the request's body as dictionary."""
    size = len(stored) + min(len(request), _MAX_DICTIONARY)
    window = max(10, size.bit_length())
    tables = min(_TABLE_LOG, window)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL, window_log=min(window, _WINDOW_LOG), hash_log=tables, chain_log=tables
    )
    return zstandard.ZstdCompressor(dict_data=_dictionary(request), compression_params=parameters).compress(stored)


def _decompress(delta: bytes, request: bytes) -> bytes:
    """Decompress a response that `_compress` has compressed with the same request."""
    reader = zstandard.ZstdDecompressor(dict_data=_dictionary(request), max_window_size=2**_WINDOW_LOG)
    return reader.decompress(delta)


Once = Annotated[_Once, Depends()]
