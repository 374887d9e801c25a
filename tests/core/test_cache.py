"""The cache: what stays in it, and what is evicted."""

from game.core.cache import LruCache


class TestLruCache:
    def test_too_many_entries(self) -> None:
        """The least recently used entry goes first."""
        cache: LruCache[str, int] = LruCache(2, 100)
        cache.put("a", 1, 1)
        cache.put("b", 2, 1)
        assert cache.get("a") == 1
        cache.put("c", 3, 1)
        assert [cache.get(key) for key in "abc"] == [1, None, 3]

    def test_too_heavy(self) -> None:
        """A replaced entry counts with its new weight, and the last one stays however heavy it is."""
        cache: LruCache[str, int] = LruCache(10, 5)
        cache.put("a", 1, 4)
        cache.put("a", 2, 1)
        cache.put("b", 3, 4)
        assert [cache.get(key) for key in "ab"] == [2, 3]
        cache.put("c", 4, 9)
        assert [cache.get(key) for key in "abc"] == [None, None, 4]
        cache.put("d", 5, 5)
        assert [cache.get(key) for key in "cd"] == [None, 5]
