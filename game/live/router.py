"""The endpoints of the live feed: a WebSocket, and the list of online members."""

from contextlib import suppress
from functools import partial
from uuid import UUID

from fastapi import APIRouter, Request, WebSocket

from game.accounts.current import CurrentUser
from game.accounts.tokens import Identity
from game.core.database import Session
from game.core.errors import NotFound, Unauthorized, documented
from game.core.sockets import SERVE, SOCKET, Close
from game.live.asyncapi import PATH, SUBPROTOCOL
from game.live.hub import Hub
from game.live.models import Online, OnlineList
from game.live.session import LiveSession
from game.live.transport import Transport
from game.universes import access

router = APIRouter()


@router.get(
    "/universes/{id}/online",
    tags=["Members"],
    response_model=OnlineList,
    responses=documented(Unauthorized, NotFound),
)
async def list_online(request: Request, id: UUID, user: CurrentUser, session: Session) -> OnlineList:
    """List the members of a universe who are connected to its live feed."""
    await access.get(session, user, id, "listOnline")
    hub: Hub = request.app.state.live
    here = hub.presence.online(id)
    return OnlineList(items=[Online(user_id=one, display_name=name) for one, name in here.items()])


@router.websocket(PATH)
async def live(websocket: WebSocket, id: str) -> None:
    """Get the events of a universe as they happen. See docs/live.md."""
    hub: Hub = websocket.app.state.live
    if SOCKET not in websocket.scope["extensions"]:
        raise RuntimeError("The live feed needs the server's own protocol: start with `python -m game serve`.")
    offered = websocket.scope["subprotocols"]
    # Accepted first, and then closed: browsers show pages only the close code.
    await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
    extensions = websocket.scope["extensions"]
    transport = Transport(extensions[SOCKET], hub.metrics)
    if offered and SUBPROTOCOL not in offered:
        transport.close(Close.NOT_UNDERSTOOD, f"The subprotocol is {SUBPROTOCOL}.")
        return
    client = websocket.client.host if websocket.client else ""
    session = LiveSession(hub, transport, _universe_id(id), _identity(websocket), websocket.scope)
    extensions[SERVE] = partial(_serve, hub, session, client)


async def _serve(hub: Hub, session: LiveSession, client: str) -> None:
    """Serves an accepted socket until it is closed."""
    try:
        if hub.admit(client):
            await session.run()
        else:
            session.transport.close(Close.TOO_MUCH, "Too many sockets of this client, or in total.")
    finally:
        hub.dismiss(client)


def _universe_id(text: str) -> UUID | None:
    with suppress(ValueError):
        return UUID(text)
    return None


def _identity(websocket: WebSocket) -> Identity | None:
    """The identity in the headers; a cookie counts only with the origin of a page of this server."""
    state = websocket.app.state
    identity: Identity | None = state.tokens.identify(websocket.scope)
    if identity is None or not identity.by_cookie:
        return identity
    origin = websocket.headers.get("origin", "")
    is_ours = origin.partition("://")[2] == websocket.headers.get("host") or origin in state.settings.cors_origins
    return identity if is_ours else None
