"""A server on a real socket: the app of the test worker, in the same event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import uvicorn
from fastapi import FastAPI

from game.core.server import HotProtocol
from game.core.sockets import MAX_MESSAGE, PING_SECONDS, PONG_SECONDS, SocketProtocol
from tests.conftest import Person
from tests.live.client import Client


@pytest.fixture(scope="session")
async def url(app: FastAPI) -> AsyncIterator[str]:
    """The address of the running app."""
    config = uvicorn.Config(
        app,
        http=HotProtocol,
        ws=SocketProtocol,
        ws_max_size=MAX_MESSAGE,
        ws_per_message_deflate=False,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PONG_SECONDS,
        lifespan="off",
        proxy_headers=False,
        log_config=None,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        task = asyncio.create_task(server._serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task


@pytest.fixture
async def feed(url: str) -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    """Connects people to the feed of a universe; disconnects them at the end."""
    async with AsyncExitStack() as stack:

        async def connect(person: Person, universe_id: str, after: str | None = None) -> Client:
            client = Client(url, universe_id, person.tokens["access_token"], after)
            return await stack.enter_async_context(client)

        yield connect
