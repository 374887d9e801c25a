"""Hashing passwords: Argon2id, in threads, a few at a time, so that log-ins never hold up the event loop."""

import asyncio
import base64
import ctypes
import os
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

# OWASP's password storage cheat sheet: Argon2id with 19 MiB, 2 passes, 1 lane.
_MEMORY_KIB, _PASSES, _LANES = 19_456, 2, 1
_BCRYPT_BYTES = 72
_M_MMAP_THRESHOLD, _MMAP_FROM_BYTES = -3, 2**20

if sys.platform == "linux":
    # glibc learns from the first hash to keep such a block instead of giving it back: 19 MiB for each thread.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _MMAP_FROM_BYTES)


class _Bcrypt(BcryptHasher):
    """Hashes that were made elsewhere. Bcrypt never looked behind 72 bytes; the library refuses more."""

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:
        whole = password.encode() if isinstance(password, str) else password
        return super().verify(whole[:_BCRYPT_BYTES], hash)


_HASH = PasswordHash((Argon2Hasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES), _Bcrypt()))

# One core stays free for the event loop; the threads are the semaphore.
_THREADS = ThreadPoolExecutor(max(1, (os.cpu_count() or 2) - 1), thread_name_prefix="password")


def _random_base64(size: int) -> str:
    return base64.b64encode(os.urandom(size)).decode().rstrip("=")


_NOBODY = f"$argon2id$v=19$m={_MEMORY_KIB},t={_PASSES},p={_LANES}${_random_base64(16)}${_random_base64(32)}"
"""A hash of no password: checking against it takes as long as against a real one."""


def _canonical(password: str) -> str:
    """One spelling for what looks the same: keyboards differ in how they write an é (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def _verify(password: str, hashed: str) -> tuple[bool, str | None]:
    try:
        return _HASH.verify_and_update(password, hashed)
    except UnknownHashError:
        return False, None


async def hash_password(password: str) -> str:
    """The hash to store for a password."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _HASH.hash, _canonical(password))


async def verify_password(password: str, hashed: str | None) -> tuple[bool, str | None]:
    """Whether the password is right, and a stronger hash to store instead when there is one.

    Without a hash (an unknown address) it takes the same time and is wrong.
    """
    right, stronger = await asyncio.get_running_loop().run_in_executor(
        _THREADS, _verify, _canonical(password), hashed or _NOBODY
    )
    return right and hashed is not None, stronger if hashed is not None else None
