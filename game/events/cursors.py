"""Opaque cursors into an event log: they do not even reveal the number of events between two of them.

The number of an event counts hidden events too, so it is encrypted, with a new nonce for each call. A cursor is
valid for one user, one universe and one epoch of the database.

A cursor is one block of AES with a nonce, the number, and a digest of what it is valid for. With a single block,
ECB is safe: whoever changes a bit of the encrypted block gets another block altogether, whose digest is wrong.
Each event needs a cursor for each of its receivers, and AES-GCM takes three times as long.
"""

import os
from base64 import b64decode
from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from hashlib import sha256
from hmac import compare_digest
from uuid import UUID

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_NONCE_BYTES, _SEQ_BYTES, _BOUND_BYTES = 4, 7, 5
_NONCES = 256
"""The number of nonces that are read from the operating system at once."""
_BLOCK_BYTES = _NONCE_BYTES + _SEQ_BYTES + _BOUND_BYTES
LENGTH = 22
"""The length of a cursor: a block in base64 without `==`."""
_PADDED_LENGTH = 24
"""The length in base64 of a block and two more bytes."""
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def bound_to(user_id: UUID, universe_id: UUID, epoch: UUID) -> bytes:
    """A digest of what a cursor is valid for: user, universe and epoch."""
    return sha256(user_id.bytes + universe_id.bytes + epoch.bytes).digest()[:_BOUND_BYTES]


def _nonces() -> Iterator[bytes]:
    """Random nonces. A system call for each would take longer than the encryption."""
    while True:
        pool = os.urandom(_NONCES * _NONCE_BYTES)
        for at in range(0, len(pool), _NONCE_BYTES):
            yield pool[at : at + _NONCE_BYTES]


class Cursors:
    """Encrypts and decrypts cursors with a key derived from the server's secret."""

    def __init__(self, secret: str) -> None:
        key = algorithms.AES256(sha256(b"event cursor blocks\0" + secret.encode()).digest())
        cipher = Cipher(key, modes.ECB())  # noqa: S305 - each cursor is one block
        self._encrypt_blocks, self._decrypt_block = cipher.encryptor().update, cipher.decryptor().update
        self._nonces = _nonces()

    def encrypt(self, seq: int, bound: bytes) -> bytes:
        """The cursor after event number `seq`, safe in a URL; `bound` as from `bound_to`."""
        return self.encrypt_all([(seq, bound)])[0]

    def encrypt_all(self, positions: Iterable[tuple[int, bytes]]) -> list[bytes]:
        """The same for pairs of `seq` and `bound`, in a fraction of the time.

        They share a nonce: only cursors of the same event and reader are equal.
        """
        nonce = next(self._nonces)
        blocks = b"".join([nonce + seq.to_bytes(_SEQ_BYTES) + bound for seq, bound in positions])
        return _as_texts(self._encrypt_blocks(blocks))

    def decrypt(self, cursor: str, bound: bytes) -> int | None:
        """The number in a cursor; None for a cursor of another reader, or of another server."""
        try:
            text = cursor.encode("ascii")
            encrypted = b64decode(text + b"==", altchars=b"-_", validate=True)
        except ValueError:
            return None
        if len(encrypted) != _BLOCK_BYTES or _as_texts(encrypted) != [text]:
            return None
        block = self._decrypt_block(encrypted)
        if not compare_digest(block[-_BOUND_BYTES:], bound):
            return None
        return int.from_bytes(block[_NONCE_BYTES:-_BOUND_BYTES])


def _as_texts(blocks: bytes) -> list[bytes]:
    # With two more bytes, each block ends where a character ends, and all can be converted together.
    starts = range(0, len(blocks), _BLOCK_BYTES)
    padded = b"".join([blocks[start : start + _BLOCK_BYTES] + b"\0\0" for start in starts])
    text = b2a_base64(padded, newline=False).translate(_URL_SAFE)
    return [text[start : start + LENGTH] for start in range(0, len(text), _PADDED_LENGTH)]
