"""Observes the queries of the coalescer of fast writes."""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI

from game.core.coalescer import HotStatement


class Spy:
    """Counts what one statement has written and refused; awaits `meanwhile` once, between reading and writing."""

    def __init__(self, inner: Any, statement: HotStatement) -> None:
        self.inner, self.statement = inner, statement
        self.written = self.refused = 0
        self.meanwhile: Awaitable[Any] | None = None

    async def fetch(self, statement: HotStatement, *parameters: Any) -> Any:
        if statement is not self.statement:
            return await self.inner.fetch(statement, *parameters)
        if meanwhile := self.meanwhile:
            self.meanwhile = None
            await meanwhile
        row = await self.inner.fetch(statement, *parameters)
        self.written += row["is_written"]
        self.refused += not row["is_written"]
        return row


@contextmanager
def spying(app: FastAPI, statement: HotStatement) -> Iterator[Spy]:
    """Put a spy before the coalescer."""
    spy = app.state.hot_writes = Spy(app.state.hot_writes, statement)
    yield spy
    app.state.hot_writes = spy.inner
