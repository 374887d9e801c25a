"""Identifiers: they are UUIDv7, sort by the time they were made, and do not repeat."""

import time

from game.core.ids import uuid7


class TestUuid7:
    def test_is_version_7_of_rfc_9562(self) -> None:
        one = uuid7()
        assert one.version == 7
        assert one.variant == "specified in RFC 4122"

    def test_begins_with_the_milliseconds_of_now(self) -> None:
        before = time.time_ns() // 1_000_000
        milliseconds = uuid7().int >> 80
        assert before <= milliseconds <= time.time_ns() // 1_000_000

    def test_later_ones_sort_behind(self) -> None:
        # 12 bits divide a millisecond into steps of 244 ns; a sleep is longer than that.
        made = []
        for _ in range(50):
            made.append(uuid7())
            time.sleep(0.000_01)
        assert made == sorted(made)

    def test_ids_are_unique(self) -> None:
        assert len({uuid7() for _ in range(20_000)}) == 20_000
