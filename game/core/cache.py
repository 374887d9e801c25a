"""A cache in the worker's memory that evicts the least recently used entries."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LruCache(Generic[Key, Value]):
    """At most `max_entries` entries with a total weight of at most `max_weight`. The entry that was put last is
    never evicted."""

    def __init__(self, max_entries: int, max_weight: int) -> None:
        self._max_entries, self._max_weight = max_entries, max_weight
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._weight = 0

    @property
    def weight(self) -> int:
        """The total weight of all entries."""
        return self._weight

    def get(self, key: Key) -> Value | None:
        """Returns the value of a key, which counts as a use; None if there is none."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Key, value: Value, weight: int) -> None:
        """Stores a value, or replaces it with its current weight."""
        if old := self._entries.get(key):
            self._weight -= old[1]
        self._entries[key] = value, weight
        self._entries.move_to_end(key)
        self._weight += weight
        while len(self._entries) > 1 and (
            len(self._entries) > self._max_entries or self._weight > self._max_weight
        ):
            self._weight -= self._entries.popitem(last=False)[1][1]
