"""Compression of responses, whole or streamed. zlib releases the GIL, so compressing in a thread does not block
the event loop."""

import asyncio
import gzip
import re
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from starlette.types import Message

GZIP_MINIMUM = 16_384
"""The minimum size of responses that are compressed. For smaller ones, compression costs more time than it
saves."""
_THREADS = ThreadPoolExecutor(2, thread_name_prefix="compression")
"""Only a few threads, so that the event loop keeps enough processor time."""
_LEVEL = 4
_STREAM_LEVEL = 1
_GZIP_FORMAT = 31
_ACCEPTS = re.compile(rb"(?:^|,)\s*gzip(?![\w-])(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE)
_TYPES = (b"application/json", b"application/problem+json", b"text/", b"image/svg")


class Compression:
    """Compresses one response, for a client that sent this Accept-Encoding header."""

    def __init__(self, accepted: bytes) -> None:
        self._accepted = accepted
        self._stream: Any = None

    async def first(self, start: Message, message: Message) -> Message:
        """The first part of the body. If it is compressed, the headers of `start` are changed accordingly."""
        body, streams = message.get("body", b""), message.get("more_body", False)
        if not _is_compressible(start) or (len(body) < GZIP_MINIMUM and not streams):
            return message
        start["headers"].append((b"vary", b"Accept-Encoding"))
        if not _ACCEPTS.search(self._accepted):
            return message
        headers = [pair for pair in start["headers"] if pair[0] != b"content-length"]
        if streams:
            self._stream = zlib.compressobj(_STREAM_LEVEL, wbits=_GZIP_FORMAT)
            message = await self.next(message)
        else:
            body = await _in_thread(partial(gzip.compress, body, _LEVEL, mtime=0))
            headers.append((b"content-length", b"%d" % len(body)))
            message = {**message, "body": body}
        start["headers"] = [*headers, (b"content-encoding", b"gzip")]
        return message

    async def next(self, message: Message) -> Message:
        """A further part of the body."""
        if self._stream is None:
            return message
        body, more = message.get("body", b""), message.get("more_body", False)
        return {**message, "body": await _in_thread(partial(self._compress, body, more))}

    def _compress(self, body: bytes, more: bool) -> bytes:
        packed: bytes = self._stream.compress(body)
        return packed if more else packed + self._stream.flush()


async def _in_thread(work: Callable[[], bytes]) -> bytes:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work)


def _is_compressible(start: Message) -> bool:
    headers = dict(start["headers"])
    return headers.get(b"content-type", b"").startswith(_TYPES) and b"content-encoding" not in headers
