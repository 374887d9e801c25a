"""Password hashing: Argon2id in a small thread pool, so that log-ins do not block the event loop."""

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

# OWASP's password storage cheat sheet: Argon2id with 19 MiB, 2 iterations, parallelism 1.
_MEMORY_KIB, _ITERATIONS, _PARALLELISM = 19_456, 2, 1
_BCRYPT_BYTES = 72
_M_MMAP_THRESHOLD, _MMAP_FROM_BYTES = -3, 2**20

if sys.platform == "linux":
    # Otherwise, glibc would keep the block of 19 MiB of each thread after its first hash.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _MMAP_FROM_BYTES)


class _Bcrypt(BcryptHasher):
    """Imported hashes. Bcrypt uses the first 72 bytes of a password; the library refuses longer ones."""

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:
        encoded = password.encode() if isinstance(password, str) else password
        return super().verify(encoded[:_BCRYPT_BYTES], hash)


def password_hash(memory_kib: int = _MEMORY_KIB, iterations: int = _ITERATIONS) -> PasswordHash:
    """Hashes with Argon2id of this cost; verifies hashes of any cost, and imported ones of bcrypt."""
    return PasswordHash(
        (Argon2Hasher(time_cost=iterations, memory_cost=memory_kib, parallelism=_PARALLELISM), _Bcrypt())
    )


def dummy_hash(memory_kib: int = _MEMORY_KIB, iterations: int = _ITERATIONS) -> str:
    """A hash that no password matches; to verify one against it takes as long as against a real hash."""
    salt, digest = _random_base64(16), _random_base64(32)
    return f"$argon2id$v=19$m={memory_kib},t={iterations},p={_PARALLELISM}${salt}${digest}"


def _random_base64(size: int) -> str:
    return base64.b64encode(os.urandom(size)).decode().rstrip("=")


_HASH = password_hash()
_DUMMY_HASH = dummy_hash()

# One core stays free for the event loop; the size of the pool limits how many hashes run at once.
_THREADS = ThreadPoolExecutor(max(1, (os.cpu_count() or 2) - 1), thread_name_prefix="password")


def _canonical(password: str) -> str:
    """The normal form of a password: keyboards differ in how they encode an é (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def _verify(password: str, hashed: str) -> tuple[bool, str | None]:
    try:
        return _HASH.verify_and_update(password, hashed)
    except UnknownHashError:
        return False, None


async def hash_password(password: str) -> str:
    """Hash a password for storage."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _HASH.hash, _canonical(password))


async def verify_password(password: str, hashed: str | None) -> tuple[bool, str | None]:
    """Whether a password matches its hash; and a stronger hash to store instead, if the hash is outdated.

    Without a hash (an unknown address) the response is False, after the same time.
    """
    matches, stronger = await asyncio.get_running_loop().run_in_executor(
        _THREADS, _verify, _canonical(password), hashed or _DUMMY_HASH
    )
    return matches and hashed is not None, stronger if hashed is not None else None
