"""The limit of open files, including sockets, of this process."""

from contextlib import suppress

_MANY = 2**20


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one, and return it; processes started later inherit it."""
    try:
        import resource
    except ImportError:
        # Windows has no such limit.
        return _MANY
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        # macOS refuses an infinite limit.
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return _MANY if soft == resource.RLIM_INFINITY else soft
