"""Opaque cursors into an event log: they do not even reveal the number of events between two of them.

The number of an event counts hidden events too, so it is encrypted (AES-GCM), each time with a new nonce. A cursor
is valid for one user, one universe and one epoch of the database.
"""

import os
from base64 import b64decode
from binascii import b2a_base64
from collections.abc import Iterator
from hashlib import sha256
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_NONCES = 256
"""The number of nonces that are read from the operating system at once."""
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def bound_to(user_id: UUID, universe_id: UUID, epoch: UUID) -> bytes:
    """The associated data of a cursor: user, universe and epoch."""
    return user_id.bytes + universe_id.bytes + epoch.bytes


def _nonces() -> Iterator[bytes]:
    """Random nonces. A system call for each would take as long as the encryption."""
    while True:
        pool = os.urandom(_NONCES * _NONCE_BYTES)
        for at in range(0, len(pool), _NONCE_BYTES):
            yield pool[at : at + _NONCE_BYTES]


class Cursors:
    """Encrypts and decrypts cursors with a key derived from the server's secret."""

    def __init__(self, secret: str) -> None:
        self._cipher = AESGCM(sha256(b"event cursors\0" + secret.encode()).digest())
        self._nonces = _nonces()

    def encrypt(self, seq: int, bound: bytes) -> bytes:
        """The cursor after event number `seq`, safe in a URL; `bound` as from `bound_to`."""
        nonce = next(self._nonces)
        raw = nonce + self._cipher.encrypt(nonce, seq.to_bytes(8), bound)
        return b2a_base64(raw, newline=False).translate(_URL_SAFE)

    def decrypt(self, cursor: str, bound: bytes) -> int | None:
        """The number in a cursor; None for a cursor of another reader, or of another server."""
        try:
            raw = b64decode(cursor, altchars=b"-_", validate=True)
            return int.from_bytes(self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], bound))
        except (ValueError, InvalidTag):
            return None
