"""The way between workers: what one publishes, the others receive.

A message may get lost: nothing relies on it.
"""

from collections.abc import Callable
from typing import Protocol

Receive = Callable[[bytes], None]
"""Called with what another worker has published."""


class Fanout(Protocol):
    """A way between workers."""

    async def start(self, receive: Receive) -> None:
        """Receive what the others publish from now on; what this one publishes does not come back."""

    def publish(self, message: bytes) -> None:
        """Send a short message to the other workers, without waiting."""

    async def close(self) -> None:
        """Stop."""


class NoFanout:
    """Where there is one worker only."""

    async def start(self, receive: Receive) -> None:
        """Nobody publishes."""

    def publish(self, message: bytes) -> None:
        """Nobody listens."""

    async def close(self) -> None:
        """Nothing was begun."""
