"""The headers of every response: security and caching."""

from collections.abc import Callable

from starlette.types import Message

from game.core.settings import Settings

API_CSP = b"default-src 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of responses that are not pages."""
_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"cross-origin"),
]
_HSTS = (b"strict-transport-security", b"max-age=31536000")
_CACHED = (b"cache-control", b"private, no-cache")
_NOT_STORED = (b"cache-control", b"no-store")


class Headers:
    """Adds the common headers to responses. `csp_of` returns the Content-Security-Policy of pages with a special
    one."""

    def __init__(self, settings: Settings, csp_of: Callable[[str], bytes | None]) -> None:
        self._csp_of = csp_of
        self._security = [*_SECURITY, *([_HSTS] if settings.is_production else [])]
        csp = (b"content-security-policy", API_CSP)
        self._lines = [
            b"".join(b"%s: %s\r\n" % header for header in (*self._security, csp, cache_control))
            for cache_control in (_CACHED, _NOT_STORED)
        ]

    def lines(self, path: str) -> bytes:
        """The headers of a hot response, as header lines."""
        return self._lines[_has_tokens(path)]

    def add(self, message: Message, path: str, request_id: bytes) -> None:
        """Add the headers to the start of a response; headers that the app has set are kept."""
        headers = list(message.get("headers", ()))
        names = {name for name, _ in headers}
        headers += [(b"x-request-id", request_id), *self._security]
        if b"content-security-policy" not in names:
            headers.append((b"content-security-policy", self._csp_of(path) or API_CSP))
        if b"cache-control" not in names:
            headers.append(_NOT_STORED if _has_tokens(path) else _CACHED)
        message["headers"] = headers


def _has_tokens(path: str) -> bool:
    return path.startswith(("/auth", "/users"))
