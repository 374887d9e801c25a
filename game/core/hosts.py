"""The allowed host names, and the client address from a trusted proxy."""

import re
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from starlette.types import Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from game.core.errors import BadRequest
from game.core.settings import Settings

_HOST = re.compile(rb"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::\d*)?")
_LOOPBACK = (b"localhost", b"127.0.0.1", b"[::1]")
_MAX_HOST = 300


class InvalidHost(BadRequest):
    """This host name is not one of the allowed ones (WORLDKEEP_ALLOWED_HOSTS)."""

    code = "INVALID_HOST"


class Hosts:
    """The host names of this server."""

    def __init__(self, settings: Settings) -> None:
        self._any = "*" in settings.allowed_hosts
        # A page of another site cannot have a loopback name, and health checks on this machine use one.
        self._names = {*_LOOPBACK, *(host.lower().encode() for host in settings.allowed_hosts)}
        self._suffixes = tuple(name[1:] for name in self._names if name.startswith(b"*."))
        self._is_known: Callable[[bytes], bool] = lru_cache(64)(self._look_up)

    def allows(self, headers: list[tuple[bytes, bytes]], fields: dict[bytes, bytes]) -> bool:
        """Whether a request with these headers, by name in `fields`, is for this server."""
        # With two Host headers, this check and the app could use different ones.
        if len(fields) < len(headers) and sum(name == b"host" for name, _ in headers) > 1:
            return False
        host = fields.get(b"host", b"")
        # Only valid host names are cached.
        return len(host) < _MAX_HOST and self._is_known(host)

    def _look_up(self, host: bytes) -> bool:
        match = _HOST.fullmatch(host.lower())
        if self._any or match is None:
            return self._any
        return match[1] in self._names or match[1].endswith(self._suffixes or (b"\0",))


class Proxies:
    """The reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted."""

    def __init__(self, settings: Settings) -> None:
        trusted = settings.trusted_proxies
        self._middleware: Any = ProxyHeadersMiddleware(_nothing, trusted) if trusted else None

    def set_client(self, scope: Scope) -> None:
        """Set the client in the scope to the one that a trusted proxy reports."""
        if self._middleware is not None:
            # The proxy middleware changes the scope before it awaits anything.
            with suppress(StopIteration):
                self._middleware(scope, _nothing, _nothing).send(None)


async def _nothing(*_: Any) -> Any:
    """An app, a receive and a send that do nothing."""
