"""Idempotency-Key: a POST that is sent again gets the first answer again, and is not carried out twice.

The key, the write and the answer are stored in one transaction. A second request with the same key waits at the
unique index until the first has committed, then finds its answer.
"""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Depends, Header, Request, Response
from sqlalchemy import LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from game.core.database import Session
from game.core.errors import Unprocessable
from game.core.models import instant

_STORED_HEADERS = ("location", "etag", "content-type")


class IdempotencyKey(SQLModel, table=True):
    """A key that a user has sent, and the answer to its request."""

    __tablename__ = "idempotency_key"

    user_id: UUID = Field(primary_key=True)
    key: str = Field(primary_key=True, max_length=200)
    fingerprint: bytes = Field(sa_type=LargeBinary)
    status: int | None = None
    headers: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    body: bytes | None = Field(default=None, sa_type=LargeBinary)
    expires_at: datetime = instant(index=True)


class IdempotencyKeyReused(Unprocessable):
    """This Idempotency-Key was used for another request. Use a new key for a new request."""

    code = "IDEMPOTENCY_KEY_REUSED"


_TAKE = text("""
    INSERT INTO idempotency_key AS k (user_id, key, fingerprint, expires_at)
    VALUES (:user_id, :key, :fingerprint, now() + interval '24 hours')
    ON CONFLICT (user_id, key) DO UPDATE
        SET fingerprint = excluded.fingerprint, expires_at = excluded.expires_at, status = NULL
        WHERE k.expires_at <= now()
    RETURNING true
""")
_FIND = text("""
    SELECT fingerprint, status, headers, body FROM idempotency_key WHERE user_id = :user_id AND key = :key
""")
_KEEP = text("""
    UPDATE idempotency_key SET status = :status, headers = cast(:headers AS jsonb), body = :body
    WHERE user_id = :user_id AND key = :key
""")


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
                description="A value of your own, such as a UUID: sent again within 24 hours, the request "
                "gets the first answer again.",
            ),
        ] = None,
    ) -> None:
        self._request, self._session, self._key = request, session, key

    async def __call__(
        self, user_id: UUID, make: Callable[[], Awaitable[Response]], content: bytes | None = None
    ) -> Response:
        """What `make` answers, or what it answered to this user's first request with this key.

        Two requests are the same if their paths and bodies are; of an upload, whose body differs each time it is
        sent, `content` is what counts.

        Raises:
            IdempotencyKeyReused: the first request was another one.
        """
        if self._key is None:
            return await make()
        place = {"user_id": user_id, "key": self._key}
        digest = hashlib.sha256(f"{self._request.method} {self._request.url.path}\n".encode())
        digest.update(await self._request.body() if content is None else content)
        mine = {**place, "fingerprint": digest.digest()}
        if (await self._session.execute(_TAKE, mine)).scalar() is None:
            first = (await self._session.execute(_FIND, place)).one()
            if first.fingerprint != mine["fingerprint"]:
                raise IdempotencyKeyReused
            return Response(first.body, first.status, first.headers)
        response = await make()
        headers = {name: response.headers[name] for name in _STORED_HEADERS if name in response.headers}
        answer = {"status": response.status_code, "headers": orjson.dumps(headers).decode(), "body": response.body}
        await self._session.execute(_KEEP, {**place, **answer})
        return response


Once = Annotated[_Once, Depends()]
