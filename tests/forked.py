"""Commands for tests, forked from one process that has imported the program: to import it takes seconds."""

import gc
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from game.cli import app

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])
# All current objects stay and are not scanned by the garbage collector, so their memory remains shared.
gc.freeze()


def set_constants(module: str, **values: float) -> None:
    """Give constants of a module other values: waits that would be long in a test."""
    constants = vars(import_module(module))
    assert values.keys() <= constants.keys(), f"{module} has other constants"
    constants.update(values)


class Forked(_CONTEXT.Process):
    """`python -m game` with these arguments, environment and working directory, with the methods of `Popen`.

    `output` and `errors` are the files that it writes to. `before` is called in it first, such as to limit what it
    gets.
    """

    def __init__(
        self,
        arguments: list[str],
        environment: dict[str, str],
        folder: Path,
        output: Path,
        errors: Path | None = None,
        before: Callable[[], object] | None = None,
    ) -> None:
        super().__init__()
        self._command = arguments, environment, folder, output, errors or output, before
        self.start()

    def run(self) -> None:
        """In the new process."""
        arguments, environment, folder, output, errors, before = self._command
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        # multiprocessing has closed the one that processes of several workers are to inherit.
        sys.stdin = os.fdopen(0)
        for number, path in ((1, output), (2, errors)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), number)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        # Of the environment before.
        tempfile.tempdir = None
        if before:
            before()
        app(arguments, prog_name="python -m game")

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        return self.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, at the end. Raises subprocess.TimeoutExpired."""
        self.join(timeout)
        if self.exitcode is None:
            raise subprocess.TimeoutExpired("serve", timeout or 0)
        return self.exitcode

    def send_signal(self, sign: int) -> None:
        """Send a signal, unless it has ended."""
        if self.exitcode is None:
            os.kill(self.pid, sign)
