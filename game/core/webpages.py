"""Pages outside the back office, such as the start page, from the templates in `web/pages`."""

from typing import Any, Final

from fastapi import FastAPI
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from game.core import static
from game.core.schema import ROOT

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of these pages: no inline scripts or styles, nothing from other sites."""

LOADER: Final = FileSystemLoader(ROOT / "web" / "pages")
_TEMPLATES: Final = Environment(loader=LOADER, autoescape=True, undefined=StrictUndefined)
_TEMPLATES.globals["static"] = static.url
_TEMPLATES.globals["modules"] = static.modules


def render(template: str, *, status: int = 200, title: str = "", **context: Any) -> HTMLResponse:
    """A page from a template such as `home.html`; the title is placed before the name of the program."""
    content = _TEMPLATES.get_template(template).render(title=title, **context)
    return HTMLResponse(content, status, {"content-security-policy": POLICY})


def install(app: FastAPI) -> None:
    """Serve the start page."""

    async def home(_: Request) -> Response:
        return render("home.html")

    app.add_route("/", home, include_in_schema=False)
