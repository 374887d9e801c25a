"""Hashing passwords: Argon2id, in threads, a few at a time, so that log-ins never hold up the event loop."""

import asyncio
import base64
import os
from concurrent.futures import ThreadPoolExecutor

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

# OWASP's password storage cheat sheet: Argon2id with 19 MiB, 2 passes, 1 lane.
_MEMORY_KIB, _PASSES, _LANES = 19_456, 2, 1
_HASH = PasswordHash(
    (Argon2Hasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES), BcryptHasher())
)

# One core stays free for the event loop; the threads are the semaphore.
_THREADS = ThreadPoolExecutor(max(1, (os.cpu_count() or 2) - 1), thread_name_prefix="password")


def _random_base64(size: int) -> str:
    return base64.b64encode(os.urandom(size)).decode().rstrip("=")


_NOBODY = f"$argon2id$v=19$m={_MEMORY_KIB},t={_PASSES},p={_LANES}${_random_base64(16)}${_random_base64(32)}"
"""A hash of no password: checking against it takes as long as against a real one."""


async def hash_password(password: str) -> str:
    """The hash to store for a password."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _HASH.hash, password)


async def verify_password(password: str, hashed: str | None) -> tuple[bool, str | None]:
    """Whether the password is right, and a stronger hash to store instead when there is one.

    Without a hash (an unknown address) it takes the same time and is wrong.
    """
    right, stronger = await asyncio.get_running_loop().run_in_executor(
        _THREADS, _HASH.verify_and_update, password, hashed or _NOBODY
    )
    return right and hashed is not None, stronger if hashed is not None else None
