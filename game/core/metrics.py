"""Prometheus metrics: requests and their duration, by method, route template and status."""

import os
from functools import cache
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


@cache
def _value_class(pid: int) -> Any:
    """The class of values in files of this process.

    The default class calls `getpid` at each increment, in case the process has forked, which is 5 % of a worker's
    time under load. Workers do not fork.
    """
    make_class: Any = values.MultiProcessValue
    return make_class(lambda: pid)


class Metrics:
    """The counters of a server. Several workers share files (PROMETHEUS_MULTIPROC_DIR)."""

    def __init__(self) -> None:
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            values.ValueClass = _value_class(os.getpid())
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "worldkeep_request_seconds",
            "Requests, and the time until a response was complete.",
            ["method", "route", "status"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.fast_edits = Counter(
            "worldkeep_fast_edits",
            "Edits of cells that one statement carried out, without the plain endpoint.",
            registry=self.registry,
        )
        self._children: dict[tuple[str, str, int], Histogram] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request; `route` is a template such as `/maps/{id}`."""
        child = self._children.get((method, route, status))
        if child is None:
            child = self._children[method, route, status] = self._seconds.labels(method, route, str(status))
        child.observe(seconds)

    def text(self) -> tuple[bytes, str]:
        """The metrics of all workers in Prometheus' text format, and its media type."""
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # not typed there
            return generate_latest(registry), CONTENT_TYPE_LATEST
        return generate_latest(self.registry), CONTENT_TYPE_LATEST
