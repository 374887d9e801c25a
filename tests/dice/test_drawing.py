"""Drawing dice from keys: without bias, and reproducible with the key."""

from collections import Counter
from hashlib import sha256

import pytest

from game.dice.drawing import Drawing, commitment

# Beyond it lies one of ten thousand fair rows of draws: chi-square for one degree of freedom less than sides.
CRITICAL = {2: 15.14, 6: 25.74, 20: 50.80, 100: 159.6}

KNOWN = [5, 19, 6, 5, 52, 41, 869, 830, 4, 10]


@pytest.mark.parametrize("sides", CRITICAL)
def test_fair(sides: int) -> None:
    draw, times = Drawing(b"a fixed key"), 20_000
    counts = Counter(draw(sides) for _ in range(times))
    assert counts.keys() == set(range(1, sides + 1))
    expected = times / sides
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < CRITICAL[sides]


def test_rejects_what_would_make_low_sides_likelier() -> None:
    draw = Drawing(b"")
    # 2^32 is 4 more than a multiple of 6: the last 4 numbers are none.
    draw._numbers = iter([2**32 - 1, 2**32 - 4, 2**32 - 5])
    assert draw(6) == 6


def test_known_values() -> None:
    """Never to change: anybody with a key draws the same dice with it."""
    key = bytes(range(32))
    draw = Drawing(key, "a nonce")
    assert [draw(sides) for sides in (20, 20, 6, 6, 100, 100, 1000, 1000, 4, 12)] == KNOWN
    assert commitment(key) == sha256(key).hexdigest()
    assert Drawing(key, "another")(1000) != Drawing(key, "a nonce")(1000)
