"""A compute process: executes the function calls that it reads from standard input.

`game.core.compute` starts it, and kills it when a result is no longer needed.
"""

import os
import pickle
import signal
import sys
from collections.abc import Generator
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple

_RETIRE_BYTES = 256 * 2**20
"""A process that uses more memory than this exits after its result, because Python returns little to the
system."""
_NICENESS = 5
"""Lower priority than the server and its database."""


def main() -> None:
    """Execute calls until the server closes the pipe."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # Output of `print` must not get into the pipe.
    os.dup2(2, 1)
    with suppress(AttributeError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.nice(_NICENESS)
    _limit_memory(int(sys.argv[1]))
    is_done = False
    while not is_done:
        try:
            function, arguments, seconds = pickle.load(requests)  # noqa: S301 - from our own server
        except EOFError:
            return
        # If the server has crashed, nothing else ends this process.
        _end_after(int(seconds) + 2)
        try:
            result = function(*arguments)
            if isinstance(result, Generator):
                result = _follow(result, requests, answers, int(seconds) + 2)
            kind = "result"
        except Exception as error:
            kind, result = "error", SentError.of(error)
        _end_after(0)
        is_done = (kind == "error" and result.kind is MemoryError) or _peak() > _RETIRE_BYTES
        _send(answers, kind, result, is_done)
        del arguments, result


def _end_after(seconds: int) -> None:
    """Make the system end this process after a time; 0 for never."""
    with suppress(AttributeError):
        signal.alarm(seconds)


def _follow(steps: Generator[Any, Any, Any], requests: BinaryIO, answers: BinaryIO, seconds: int) -> Any:
    try:
        wanted = next(steps)
        while True:
            _send(answers, "wanted", wanted, False)
            loaded = pickle.load(requests)  # noqa: S301 - from our own server
            _end_after(seconds)
            wanted = steps.send(loaded)
    except StopIteration as stop:
        return stop.value


def _send(answers: BinaryIO, kind: str, value: Any, is_done: bool) -> None:
    pickle.dump((kind, value, is_done), answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()


class SentError(NamedTuple):
    """An exception as its parts, because unpickling some exceptions calls the class with other arguments."""

    kind: type[Exception]
    arguments: tuple[Any, ...]
    state: dict[str, Any]

    @classmethod
    def of(cls, error: Exception) -> "SentError":
        """An exception in a form that can be pickled; one that cannot becomes a RuntimeError with its text."""
        sent = cls(type(error), error.args, error.__dict__)
        try:
            pickle.dumps(sent)
        except Exception:
            return cls(RuntimeError, (f"{type(error).__name__}: {error}",), {})
        return sent

    def error(self) -> Exception:
        """The exception."""
        error = self.kind.__new__(self.kind, *self.arguments)
        error.args = self.arguments
        error.__dict__.update(self.state)
        return error


def _limit_memory(limit: int) -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _peak() -> int:
    """The peak memory of this process, in bytes; 0 where that is not known."""
    with suppress(OSError, StopIteration), open("/proc/self/status") as status:
        # Not from getrusage, whose value includes the memory of the server that started this process.
        return int(next(line for line in status if line.startswith("VmHWM:")).split()[1]) * 1024
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
