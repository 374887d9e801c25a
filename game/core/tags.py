"""ETags of responses for players."""

from hashlib import blake2b
from uuid import UUID


def players_tag(key: UUID, shown: bytes) -> str:
    """The ETag of a response for players: a keyed hash of it, which reveals nothing about hidden changes."""
    return blake2b(shown, key=key.bytes, digest_size=16).hexdigest()
