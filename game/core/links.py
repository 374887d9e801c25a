"""Links to this server, for mails and invitations."""

from fastapi import Request

from game.core.settings import Settings


def link(request: Request, path: str) -> str:
    """The absolute URL of a path: with `WORLDKEEP_PUBLIC_URL`, or with the host of the request.

    The host of a request is one of `WORLDKEEP_ALLOWED_HOSTS`, so a forged Host header cannot make mails link to
    other sites.
    """
    settings: Settings = request.app.state.settings
    base = settings.public_url or f"{request.url.scheme}://{request.url.netloc}"
    return f"{base}{path}"
