"""The page of an invitation's link: it shows the universe and the inviter, and has a button to join.

A template in `web/pages` and a script in `web/account`, which calls the API as any client does.
"""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from game.core import webpages

JOIN = "/join"


def install(app: FastAPI) -> None:
    """Serve the page."""
    app.add_route(f"{JOIN}/{{code}}", _show, include_in_schema=False)


async def _show(request: Request) -> Response:
    # Only the cookie is checked here; the page's requests to the API show whether its session still exists.
    signed_in = request.app.state.tokens.identify(request.scope) is not None
    return webpages.render("join.html", title="Invitation", signed_in=signed_in)
