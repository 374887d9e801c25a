"""ETags of what players are shown."""

from hashlib import blake2b
from uuid import UUID


def players_tag(key: UUID, shown: bytes) -> str:
    """The ETag of what players are shown: a keyed hash of it, which counts nothing that they are not shown."""
    return blake2b(shown, key=key.bytes, digest_size=16).hexdigest()
