"""Connections that are silent or slow, on real sockets: they are closed without affecting others."""

import resource
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import Server, serving

HEAD_SECONDS = 3.0
LONG = 30
"""Seconds; only for what would never end."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str]) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("connections")
    deadlines = dict.fromkeys(("WORLDKEEP_HEAD_TIMEOUT", "WORLDKEEP_REQUEST_TIMEOUT"), str(HEAD_SECONDS))
    with serving(folder, DATABASE_URL=new_database(), **deadlines) as server:
        yield server


def connect(server: Server) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=LONG)
    connection.settimeout(LONG)
    return connection


def is_closed(connection: socket.socket) -> bool:
    """Whether the server ends a connection, without another byte."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def is_served(server: Server) -> bool:
    with urllib.request.urlopen(f"{server.url}/health", timeout=LONG) as answer:
        return bool(answer.status == 200)


HALF_A_HEAD = (
    b"",
    b"\r\n",
    b"GET",
    b"GET /health HTTP/1.1\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: y",
)


class TestDeadlines:
    def test_a_head_that_never_ends(self, server: Server) -> None:
        with ExitStack() as stack:
            connections = [stack.enter_context(closing(connect(server))) for _ in HALF_A_HEAD]
            for connection, sent in zip(connections, HALF_A_HEAD, strict=True):
                connection.sendall(sent)
            for connection, sent in zip(connections, HALF_A_HEAD, strict=True):
                assert is_closed(connection), sent

    def test_a_head_that_arrives_byte_by_byte(self, server: Server) -> None:
        with closing(connect(server)) as connection:
            end = time.monotonic() + LONG
            with suppress(ConnectionError):
                for byte in b"GET /health HTTP/1.1\r\n" + b"X-Slow: 1\r\n" * 1000:
                    assert time.monotonic() < end
                    connection.sendall(bytes([byte]))
                    time.sleep(0.05)
                raise AssertionError("it took all of it")

    def test_a_body_that_never_ends(self, server: Server) -> None:
        head = b"POST /auth/register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        with closing(connect(server)) as connection:
            connection.sendall(head + b"Content-Length: 100\r\n\r\n{")
            assert connection.recv(1000).startswith(b"HTTP/1.1 503 ")

    def test_an_answer_in_time_keeps_the_connection(self, server: Server) -> None:
        with closing(connect(server)) as connection:
            for number in range(2):
                time.sleep(number * HEAD_SECONDS)
                connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                answer = b""
                # The body may come in a packet of its own.
                while not answer.endswith(b'{"status":"ok"}'):
                    part = connection.recv(1000)
                    assert part, answer
                    answer += part
                assert answer.startswith(b"HTTP/1.1 200 ")


@contextmanager
def file_limit(soft: int, hard: int) -> Iterator[None]:
    """The limit of open files that new processes get; only the soft one of this process changes for good."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.prlimit(0, resource.RLIMIT_NOFILE, (soft, hard))
    try:
        yield
    finally:
        resource.prlimit(0, resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("hard", [None, 1024], ids=["soft-limit", "hard-limit"])
def test_silent_connections_do_not_disconnect_others(
    hard: int | None, tmp_path: Path, new_database: Callable[[], str]
) -> None:
    """1,100 of them with `ulimit -n 1024`: a soft limit is raised; with a hard one, they make room for others."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limited = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (1024, hard or limit))
    with ExitStack() as stack:
        stack.enter_context(file_limit(max(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[0]), limit))
        server = stack.enter_context(serving(tmp_path, DATABASE_URL=new_database(), before=limited))
        for _ in range(1100):
            stack.enter_context(closing(connect(server)))
        for _ in range(20):
            assert is_served(server)
