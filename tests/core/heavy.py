"""Functions for compute processes to run in tests."""

import os
import time
from collections.abc import Generator
from typing import Any


def double(number: int) -> int:
    return 2 * number


def pid(seconds: float = 0) -> int:
    time.sleep(seconds)
    return os.getpid()


def spin(path: str) -> None:
    """Compute without end, in one long call of C after another; writes down who does."""
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    while True:
        sum(range(10_000_000))


def take(size: int) -> int:
    return len(bytearray(size))


def refuse(message: str) -> None:
    raise ValueError(message)


class Odd(Exception):
    """An error that pickle cannot make again."""

    def __init__(self, *, name: str) -> None:
        super().__init__(name, "odd")
        self.name = name


def odd() -> None:
    raise Odd(name="x")


def unsendable() -> None:
    class Unsendable(Exception):
        """Raise an exception of a local class."""

    raise Unsendable("what")


def crash() -> None:
    os.kill(os.getpid(), 9)


def ask(names: list[str]) -> Generator[str, Any, dict[str, Any]]:
    answers = {}
    for name in names:
        answers[name] = yield name
    return answers
