"""The pages of accounts: signing up, logging in, passwords and addresses, one's own account.

They are templates in `web/pages`, and scripts in `web/account` that call the API as any client does. A token is
passed to a page after the # of its URL, so that no log contains it.
"""

from urllib.parse import quote

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from game.core import webpages

LOGIN, SIGNUP, ACCOUNT = "/login", "/signup", "/account"
FORGOT_PASSWORD, RESET_PASSWORD, VERIFY_EMAIL = "/forgot-password", "/reset-password", "/verify-email"

_PUBLIC = {
    LOGIN: "Log in",
    SIGNUP: "Create an account",
    FORGOT_PASSWORD: "Forgot your password?",
    RESET_PASSWORD: "Set a new password",
    VERIFY_EMAIL: "Confirm your address",
}


def install(app: FastAPI) -> None:
    """Serve the pages."""
    for path in _PUBLIC:
        app.add_route(path, _show, include_in_schema=False)
    app.add_route(ACCOUNT, _show_account, include_in_schema=False)


async def _show(request: Request) -> Response:
    path = request.url.path.rstrip("/")
    return webpages.render(f"{path.strip('/')}.html", title=_PUBLIC[path])


async def _show_account(request: Request) -> Response:
    # Only the cookie is checked here; the page's requests to the API show whether its session still exists.
    identity = request.app.state.tokens.identify(request.scope)
    if identity is None:
        return RedirectResponse(f"{LOGIN}?next={quote(ACCOUNT)}", 303)
    return webpages.render("account.html", title="Your account")
