"""Metrics of the live feed."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_DEPTHS = (0, 1024, 16_384, 65_536, 262_144, 1_048_576)


class LiveMetrics:
    """The counters of a worker's sockets."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"worldkeep_live_{name}", text, labels, registry=registry)

        self.sockets = Gauge(
            "worldkeep_live_sockets", "Open sockets.", registry=registry, multiprocess_mode="livesum"
        )
        messages = counter("messages", "Messages, by direction.", "direction")
        octets = counter("bytes", "Bytes of messages, by direction.", "direction")
        self._messages_in, self._messages_out = messages.labels("in"), messages.labels("out")
        self._bytes_in, self._bytes_out = octets.labels("in"), octets.labels("out")
        self._dropped = counter(
            "drops", "Signals that were not sent, and sockets that were closed because they were too slow.", "what"
        )
        self._closed = counter("closes", "Closed sockets, by close code.", "code")
        self._queue = Histogram(
            "worldkeep_live_queue_bytes",
            "Bytes waiting for clients when they are sent frames: the longest queue of them (sampled).",
            buckets=_DEPTHS,
            registry=registry,
        )
        self._lag = Histogram(
            "worldkeep_live_lag_seconds",
            "Time from an event's timestamp until it is sent.",
            buckets=_LAGS,
            registry=registry,
        )
        self._out = self._out_bytes = self._sends = 0

    def received(self, size: int) -> None:
        """Count a message of a client."""
        self._messages_in.inc()
        self._bytes_in.inc(size)

    def sent(self, count: int, size: int, queued: int) -> None:
        """Count `count` messages of `size` bytes to one or more clients, whose queues held at most `queued` bytes.

        Counts are added to the metrics in batches, because there are many messages.
        """
        self._out += count
        self._out_bytes += size
        self._sends += 1
        if queued or not self._sends % 64:
            self._queue.observe(queued)
        if not self._sends % 64:
            self.flush()

    def flush(self) -> None:
        """Add the collected values to the metrics."""
        self._messages_out.inc(self._out)
        self._bytes_out.inc(self._out_bytes)
        self._out = self._out_bytes = 0

    def lag(self, seconds: float) -> None:
        """Record the age of an event when it was sent."""
        self._lag.observe(max(seconds, 0.0))

    def dropped(self, what: str) -> None:
        """Count a dropped signal, or a socket that was closed because it was too slow."""
        self._dropped.labels(what).inc()

    def closed(self, code: int) -> None:
        """Count a socket that was closed."""
        self._closed.labels(str(code)).inc()
