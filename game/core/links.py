"""Links to this server, as they stand in mails and invitations."""

from fastapi import Request

from game.core.settings import Settings


def link(request: Request, path: str) -> str:
    """The full address of a path: below `WORLDKEEP_PUBLIC_URL`, or else below the address of the request.

    The host of a request is one of `WORLDKEEP_ALLOWED_HOSTS`, so a stranger cannot have mails link elsewhere.
    """
    settings: Settings = request.app.state.settings
    base = settings.public_url or f"{request.url.scheme}://{request.url.netloc}"
    return f"{base}{path}"
