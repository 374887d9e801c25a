"""Cursors: only the exact text is accepted, and only from the reader that it was made for."""

import string
from uuid import uuid4

import pytest

from game.events.cursors import Cursors, bound_to

CURSORS = Cursors("a secret for the tests of cursors")
BOUND = bound_to(uuid4(), uuid4(), uuid4())


@pytest.mark.parametrize("seq", [0, 1, 2**53 - 1])
def test_the_number_comes_back(seq: int) -> None:
    assert CURSORS.decrypt(CURSORS.encrypt(seq, BOUND).decode(), BOUND) == seq


def test_equal_numbers_look_different() -> None:
    assert len({CURSORS.encrypt(7, BOUND) for _ in range(100)}) == 100


def test_many_at_once() -> None:
    positions = [(seq, bound_to(uuid4(), uuid4(), uuid4())) for seq in (0, 7, 7, 2**53 - 1)]
    found = CURSORS.encrypt_all(positions)
    assert len({len(cursor) for cursor in found}) == 1
    for (seq, bound), cursor in zip(positions, found, strict=True):
        assert CURSORS.decrypt(cursor.decode(), bound) == seq
        assert [CURSORS.decrypt(cursor.decode(), other) for _, other in positions].count(None) == 3
    assert CURSORS.encrypt_all([]) == []


def test_of_other_readers_and_servers() -> None:
    cursor = CURSORS.encrypt(7, BOUND).decode()
    assert CURSORS.decrypt(cursor, bound_to(uuid4(), uuid4(), uuid4())) is None
    assert Cursors("another secret").decrypt(cursor, BOUND) is None


def test_no_character_can_be_changed() -> None:
    cursor = CURSORS.encrypt(7, BOUND).decode()
    for place, old in enumerate(cursor):
        for new in string.ascii_letters + string.digits + "-_+/=":
            changed = cursor[:place] + new + cursor[place + 1 :]
            assert new == old or CURSORS.decrypt(changed, BOUND) is None


@pytest.mark.parametrize(
    "text", ["", "=", "A" * 21, "A" * 22, "A" * 23, "A" * 24, "A" * 100_000, "é" * 22, "\0" * 22]
)
def test_other_texts(text: str) -> None:
    assert CURSORS.decrypt(text, BOUND) is None


@pytest.mark.parametrize("more", ["=", "==", "\n", " ", "A"])
def test_nothing_can_be_added(more: str) -> None:
    assert CURSORS.decrypt(CURSORS.encrypt(7, BOUND).decode() + more, BOUND) is None
