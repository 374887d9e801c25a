"""The upper bound: our statements and coalescer behind uvicorn, without routing, errors, log and metrics."""

import os
from typing import Any

from game.accounts.tokens import AccessTokens
from game.core.coalescer import Coalescer
from game.core.database import Database
from game.core.hot import HotRead, HotResponse
from game.core.settings import Settings
from game.maps import texts as maps
from game.universes import queries as universes

tokens = AccessTokens(os.environ["WORLDKEEP_SECRET_KEY"])
opened: list[Coalescer] = []
"""The coalescer, created at startup because it needs a running event loop."""
BY_ID = {"/universes/": universes.BY_ID, "/maps/": maps.BY_ID}


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        settings = Settings()
        opened.append(Coalescer(Database(settings).hot_connection, settings.hot_pool_size))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    who = tokens.identify(scope)
    scope["path_params"] = {"id": scope["path"].rpartition("/")[2]}
    read: HotRead = BY_ID.get(scope["path"][:-36], universes.LIST)
    row = who and await opened[0].fetch(
        read.statement, who.session_id, who.user_id, *(read.parameters(scope) or ())
    )
    answer = read.render(row) if row else None
    body, version, status = answer or HotResponse(b"", status=404)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if version:
        headers.append((b"etag", b'"%d"' % version))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
