"""People at the feed of the test worker's app."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from tests.conftest import Person
from tests.live.client import Client


@pytest.fixture
async def feed(url: str) -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    """Connects people to the feed of a universe; disconnects them at the end."""
    async with AsyncExitStack() as stack:

        async def connect(person: Person, universe_id: str, after: str | None = None) -> Client:
            client = Client(url, universe_id, person.tokens["access_token"], after)
            return await stack.enter_async_context(client)

        yield connect
