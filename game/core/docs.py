"""The API's documentation pages, without resources of other sites: /docs (Swagger UI) and /redoc."""

import base64
import hashlib
import re
from importlib.resources import files

from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

_ASSETS = "/docs/assets"
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_csp: dict[str, bytes] = {}


def csp_of(path: str) -> bytes | None:
    """The Content-Security-Policy of a documentation page; None for any other path."""
    return _csp.get(path)


def install(app: FastAPI) -> None:
    """Serve the pages; their scripts are from the package `fastapi-offline`."""
    app.mount(_ASSETS, StaticFiles(directory=str(files("fastapi_offline") / "static")), name="docs-assets")
    swagger = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title=f"{app.title}: the API",
        swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS}/favicon.png",
        swagger_ui_parameters={"persistAuthorization": False, "tryItOutEnabled": True},
    )
    redoc = get_redoc_html(
        openapi_url="/openapi.json",
        title=f"{app.title}: the API",
        redoc_js_url=f"{_ASSETS}/redoc.standalone.js",
        redoc_favicon_url=f"{_ASSETS}/favicon.png",
        with_google_fonts=False,
    )
    _page(app, "/docs", swagger)
    _page(app, "/redoc", redoc)


def _page(app: FastAPI, path: str, page: HTMLResponse) -> None:
    content = bytes(page.body)
    hashes = [
        "'sha256-" + base64.b64encode(hashlib.sha256(script).digest()).decode() + "'"
        for script in _INLINE_SCRIPT.findall(content)
    ]
    _csp[path] = (
        "default-src 'none'; connect-src 'self'; img-src 'self' data:; font-src 'self' data:; "
        "style-src 'self' 'unsafe-inline'; worker-src blob:; frame-ancestors 'none'; "
        f"script-src 'self' {' '.join(hashes)}"
    ).encode()

    async def show(_: Request) -> Response:
        return HTMLResponse(content)

    app.add_route(path, show, include_in_schema=False)
