"""The id of a request, in its answer and in the log: what a proxy sent, or one of ours."""

import re
import secrets
from itertools import count

_WORKER = secrets.token_hex(4).encode()
_NUMBERS = count(secrets.randbits(32))
"""An id is its worker's and a number: as unlikely to repeat as a random one, and made at once."""
_VALID = re.compile(rb"[A-Za-z0-9._-]{8,64}")


def request_id(sent: bytes | None) -> bytes:
    """The id for a request whose X-Request-ID header is `sent`."""
    if sent and _VALID.fullmatch(sent):
        return sent
    return b"%s%08x" % (_WORKER, next(_NUMBERS) & 0xFFFFFFFF)
