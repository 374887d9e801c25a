"""Files for browsers: the scripts and styles of `web/` and `admin/static/`, at URLs with a hash of their content.

Both folders are served side by side, as on disk, so a module's relative imports refer to the same file in a
browser, in Node.js and for the type checker. A change of any file changes all URLs: browsers may cache them
forever, and never mix the files of two versions.
"""

import hashlib
import posixpath
import re
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from game.core.schema import ROOT

BASE: Final = "/static"
_FOLDERS: Final = ("admin/static", "web")
_KINDS: Final = {".css", ".js", ".svg"}
_IMPORT: Final = re.compile(r"^(?:import|export|\})[^'\n]*'(\.[^']+)'", re.MULTILINE)
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_REVALIDATE: Final = "no-cache"


def url(path: str) -> str:
    """The URL of a file, such as `web/shared/api.js`.

    Raises:
        FileNotFoundError: there is no such file for browsers.
    """
    if path not in _files():
        raise FileNotFoundError(path)
    return f"{BASE}/{_digest()}/{path}"


@cache
def modules(*paths: str) -> tuple[str, ...]:
    """The URLs of modules and of all modules that they import statically, so that a page can load them at once.

    Raises:
        FileNotFoundError: one of them does not exist.
    """
    found: dict[str, None] = {}
    for path in paths:
        waiting = [path]
        for one in waiting:
            if one not in found:
                found[one] = None
                imports = _IMPORT.findall((ROOT / one).read_text())
                waiting += [posixpath.normpath(posixpath.join(posixpath.dirname(one), name)) for name in imports]
    return tuple(map(url, found))


def install(app: FastAPI, *, immutable: bool) -> None:
    """Serve the files. If they are not `immutable` (in development), browsers revalidate them each time."""
    prefix = f"{BASE}/{_digest()}"
    for folder in _FOLDERS:
        files = _Files(ROOT / folder, _IMMUTABLE if immutable else _REVALIDATE)
        app.mount(f"{prefix}/{folder}", files, name=f"static-{folder.replace('/', '-')}")


class _Files(StaticFiles):
    """Files of a folder, of the types that browsers may load."""

    def __init__(self, folder: Path, cache_control: str) -> None:
        super().__init__(directory=folder)
        self._cache_control = cache_control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 304):
                MutableHeaders(scope=message)["cache-control"] = self._cache_control
            await send(message)

        await super().__call__(scope, receive, send_with_headers)

    async def get_response(self, path: str, scope: Scope) -> Response:
        if Path(path).suffix not in _KINDS:
            path = ""
        return await super().get_response(path, scope)


@cache
def _files() -> tuple[str, ...]:
    """The paths of all files for browsers, in order."""
    paths = (path for folder in _FOLDERS for path in (ROOT / folder).rglob("*"))
    return tuple(sorted(path.relative_to(ROOT).as_posix() for path in paths if path.suffix in _KINDS))


@cache
def _digest() -> str:
    digest = hashlib.sha256()
    for path in _files():
        content = (ROOT / path).read_bytes()
        digest.update(f"{path} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]
