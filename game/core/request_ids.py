"""The id of a request, in its response and in the log: the one that a proxy sent, or a new one."""

import re
import secrets
from itertools import count

_WORKER = secrets.token_hex(4).encode()
_NUMBERS = count(secrets.randbits(32))
"""A new id is a random prefix of the worker and a number, which is cheaper than a random id and just as unique."""
_VALID = re.compile(rb"[A-Za-z0-9._-]{8,64}")


def request_id(sent: bytes | None) -> bytes:
    """The id for a request with the X-Request-ID header `sent`."""
    if sent and _VALID.fullmatch(sent):
        return sent
    return b"%s%08x" % (_WORKER, next(_NUMBERS) & 0xFFFFFFFF)
