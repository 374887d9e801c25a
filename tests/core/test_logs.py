"""Logs of a separate process, without other handlers and without capturing."""

import json
import subprocess
import sys
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest

from game.core import schema

SCRIPT = """
import asyncio, logging, structlog
from game.core import logs
from game.core.settings import Settings

settings = Settings(_env_file=None, **{settings!r})
logs.configure(settings)
log = structlog.get_logger()

def fail():
    password = "hunter2" + "hunter2"
    raise ValueError("what went wrong")

with structlog.contextvars.bound_contextvars(request_id="abc"):
    log.debug("detail")
    log.info("hello", number=1, path="/a\\x1b[2Jb\\nc\\u202e", name="Zoë")
    logging.getLogger("uvicorn.error").error("from %s", "uvicorn")
    logging.getLogger("uvicorn.access").info("chatter")
    logging.getLogger("some.library").warning("from a library")
    try:
        fail()
    except ValueError:
        log.exception("unexpected_error")
        logging.getLogger("some.library").exception("its error")

async def serve():
    requests = logs.RequestLog(settings)
    requests(method="GET", path="/maps", status=200, ms=1.5, client="::1", request_id="def")
    requests(method="GET", path="/maps", status=404, ms=0.5, client="::1", request_id="ghi")
    requests.flush()

asyncio.run(serve())
"""


@cache
def lines_of(**settings: str) -> list[str]:
    """What a process with these settings logs."""
    values = {"log_level": "info", **settings}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("{settings!r}", repr(values))],
        cwd=schema.ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


class TestJson:
    def test_every_line_is_an_object(self) -> None:
        lines = [json.loads(line) for line in lines_of(log_format="json")]
        events = [line["event"] for line in lines]
        assert events == [
            "hello",
            "from uvicorn",
            "from a library",
            "unexpected_error",
            "its error",
            "request",
            "request",
        ]
        for line in lines:
            assert datetime.fromisoformat(line["timestamp"]).utcoffset() is not None
        assert [line["level"] for line in lines] == ["info", "error", "warning", "error", "error", "info", "info"]
        assert [line["request_id"] for line in lines] == ["abc"] * 5 + ["def", "ghi"]
        assert (lines[0]["number"], lines[0]["name"]) == (1, "Zoë")
        assert lines[0]["path"] == "/a\x1b[2Jb\nc\u202e"
        assert lines[5] == {
            "event": "request",
            "level": "info",
            "timestamp": lines[5]["timestamp"],
            "request_id": "def",
            "method": "GET",
            "path": "/maps",
            "status": 200,
            "ms": 1.5,
            "client": "::1",
        }

    def test_a_traceback_shows_no_variables(self) -> None:
        text = "\n".join(lines_of(log_format="json"))
        errors = [json.loads(line) for line in text.splitlines() if "what went wrong" in line]
        assert len(errors) == 2
        assert errors[0]["exception"][0]["exc_type"] == "ValueError"
        assert any(frame["name"] == "fail" for frame in errors[0]["exception"][0]["frames"])
        assert "hunter2hunter2" not in text

    def test_is_what_production_logs(self) -> None:
        production = {
            "environment": "production",
            "secret_key": "0123456789abcdef0123456789abcdef",
            "database_url": "postgresql://db.example/w",
            "allowed_hosts": "games.example.org",
        }
        assert json.loads(lines_of(**production)[0])["event"] == "hello"
        assert "[info     ] hello" in lines_of(**production, log_format="console")[0]


class TestConsole:
    def test_is_readable_and_harmless(self) -> None:
        lines = lines_of()
        text = "\n".join(lines)
        assert "[info     ] hello" in lines[0]
        assert "request_id=abc" in lines[0]
        # Nothing moves the cursor, begins a line or turns the text round.
        assert not any(character in text for character in "\x1b\u202e")
        assert r"\x1b[2Jb" in lines[0]
        assert "[error    ] from uvicorn" in text
        assert "status=" not in text
        assert "chatter" not in text

    def test_a_traceback_shows_no_variables(self) -> None:
        text = "\n".join(lines_of())
        assert text.count("ValueError: what went wrong") == 2
        assert "hunter2hunter2" not in text


class TestLevel:
    def test_less(self) -> None:
        text = "\n".join(lines_of(log_level="error"))
        assert "from uvicorn" in text
        assert "hello" not in text
        assert "from a library" not in text
        assert "status=" not in text

    def test_more(self) -> None:
        assert "[debug    ] detail" in lines_of(log_level="debug")[0]


if Path("/dev/full").exists():

    @pytest.mark.parametrize("log_format", ["json", "console"])
    def test_a_full_disk_costs_lines_and_nothing_else(log_format: str) -> None:
        script = SCRIPT.replace("{settings!r}", repr({"log_format": log_format})) + "\nprint('went on')"
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-c", script], cwd=schema.ROOT, stdout=subprocess.PIPE, stderr=full, check=False
            )
        assert (done.returncode, done.stdout) == (0, b"went on\n")
