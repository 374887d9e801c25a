"""The players' pages: the list of universes, a universe with its map, and the web app manifest.

Templates are in `web/pages`, scripts in `web/play`. They use the public API and the live feed, like any client.
"""

from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response

from game.accounts.pages import LOGIN
from game.core import static, webpages
from game.core.schema import ROOT

LOBBY = "/play"


def install(app: FastAPI) -> None:
    """Serve the pages."""
    app.add_route(f"{LOBBY}/manifest.webmanifest", _manifest, include_in_schema=False)
    app.add_route(f"{LOBBY}/service-worker.js", _service_worker, include_in_schema=False)
    app.add_route(LOBBY, _lobby, include_in_schema=False)
    app.add_route(f"{LOBBY}/{{universe_id}}", _table, include_in_schema=False)


async def _lobby(request: Request) -> Response:
    return _page(request, "lobby.html")


async def _table(request: Request) -> Response:
    universe_id = quote(request.path_params["universe_id"])
    reads = [
        "/users/me",
        f"/universes/{universe_id}",
        f"/universes/{universe_id}/members?limit=100",
        f"/maps?universe_id={universe_id}&limit=100",
    ]
    return _page(request, "play.html", reads=reads)


def _page(request: Request, template: str, **context: Any) -> Response:
    # Only the cookie is checked here; the page's requests to the API show whether its session still exists.
    if request.app.state.tokens.identify(request.scope) is None:
        return RedirectResponse(f"{LOGIN}?next={quote(request.url.path)}", 303)
    return webpages.render(template, **context)


async def _manifest(_: Request) -> Response:
    icon = {"src": static.url("admin/static/icon.svg"), "sizes": "any", "type": "image/svg+xml"}
    manifest = {
        "name": "Worldkeep",
        "start_url": LOBBY,
        "scope": LOBBY,
        "display": "standalone",
        "background_color": "#12181a",
        "theme_color": "#12181a",
        "icons": [icon],
    }
    return JSONResponse(manifest, media_type="application/manifest+json")


async def _service_worker(_: Request) -> Response:
    # A service worker controls the paths in the folder of its own path.
    headers = {
        "cache-control": "no-cache",
        "service-worker-allowed": LOBBY,
        # A worker may fetch what the policy of its script allows.
        "content-security-policy": "default-src 'none'; connect-src 'self'",
    }
    return FileResponse(ROOT / "web/play/service-worker.js", media_type="text/javascript", headers=headers)
