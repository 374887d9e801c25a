"""Sending mail: to a real SMTP server, and as files."""

import asyncio
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr, ValidationError
from structlog.testing import LogCapture

from game.core import mail
from game.core.mail import Mailer
from game.core.settings import Settings

TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + "abc=" * 60 + ".signature"
TEXT = f"Hello,\n\nyour code:\n\n{TOKEN}\n\n.\n..two dots\nFrom here\nBcc: everybody@example.com\n"


class SmtpServer:
    """As much of an SMTP server (RFC 5321) as a mailer talks to."""

    def __init__(self) -> None:
        self.extensions = ["8BITMIME", "SMTPUTF8"]
        self.commands: list[str] = []
        self.mails: list[bytes] = []
        self.connections = 0
        self.refuses = 0
        """This number of connections gets a temporary error."""
        self.is_silent = False
        """Takes connections and says nothing."""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """The port of the server, as long as this is open."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if self.is_silent:
                await reader.read()
            elif self.connections <= self.refuses:
                writer.write(b"421 come back later\r\n")
            else:
                await self._talk(reader, writer)
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := (await reader.readline()).decode().strip():
            self.commands.append(line)
            verb = line.partition(" ")[0].upper()
            if verb == "EHLO":
                *more, last = ["here", *self.extensions]
                writer.write("".join(f"250-{one}\r\n" for one in more).encode() + f"250 {last}\r\n".encode())
            elif verb == "DATA":
                writer.write(b"354 go on\r\n")
                data = await reader.readuntil(b"\r\n.\r\n")
                self.mails.append(data[:-3].replace(b"\r\n..", b"\r\n."))
                writer.write(b"250 taken\r\n")
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                return
            else:
                writer.write(b"250 ok\r\n")

    def recipients(self) -> list[str]:
        return [line for line in self.commands if line.startswith("RCPT")]


@pytest.fixture
def server() -> SmtpServer:
    return SmtpServer()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the mailer logs."""
    capture = LogCapture()
    monkeypatch.setattr(
        mail, "log", structlog.wrap_logger(None, [capture], structlog.make_filtering_bound_logger("debug"))
    )
    return capture.entries


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting before an attempt, and little after one."""
    monkeypatch.setattr(mail, "_DELAY_SECONDS", (0, 0))
    monkeypatch.setattr(mail, "_PAUSE_SECONDS", 0.01)


MakeMailer = Callable[..., Mailer]


@pytest.fixture
def mailer_of(settings: Settings, tmp_path: Path) -> MakeMailer:
    """Makes a mailer: for a server's port, or without one for files."""

    def make(port: int | None = None, user: str = "", **changes: Any) -> Mailer:
        url = None if port is None else SecretStr(f"smtp://{user}127.0.0.1:{port}")
        return Mailer(settings.model_copy(update={"data_dir": tmp_path, "smtp_url": url, **changes}))

    return make


async def send(mailer: Mailer, to: str = "mira@example.com", subject: str = "A subject", text: str = TEXT) -> None:
    await mailer.send(lambda: (to, subject, text))
    await asyncio.gather(*mailer._tasks)


def read(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return message


class TestFile:
    async def test_holds_the_mail(self, mailer_of: MakeMailer, tmp_path: Path, log: list[Any]) -> None:
        await send(mailer_of())
        [path] = (tmp_path / "mail").iterdir()
        message = read(path.read_bytes())
        assert message["To"] == "mira@example.com"
        assert message["From"] == "Worldkeep <worldkeep@localhost>"
        assert message["Subject"] == "A subject"
        assert message["Date"].datetime.tzinfo is not None
        assert message.get_content() == TEXT
        assert "Bcc" not in message
        # Other tests' mails may be written in the meantime.
        assert [one["event"] for one in log if one.get("file") == str(path)] == ["mail_written"]

    async def test_is_for_the_servers_eyes_only(self, mailer_of: MakeMailer, tmp_path: Path) -> None:
        await send(mailer_of())
        [path] = (tmp_path / "mail").iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    @pytest.mark.parametrize("name", ["Mira", "Zoë 🐉"])
    async def test_a_token_can_be_copied_from_it(self, mailer_of: MakeMailer, tmp_path: Path, name: str) -> None:
        await send(mailer_of(), text=f"Hello {name},\n\n{TOKEN}\n")
        [path] = (tmp_path / "mail").iterdir()
        assert f"Hello {name},\n\n{TOKEN}\n" in path.read_text(encoding="utf-8")

    @pytest.mark.parametrize(
        ("to", "written"),
        [
            ("mira@bücher.example", "mira@xn--bcher-kva.example"),
            ("zoë@bücher.example", "zoë@bücher.example"),
            ("o'hara+tag@example.com", "o'hara+tag@example.com"),
        ],
    )
    async def test_addresses(self, mailer_of: MakeMailer, tmp_path: Path, to: str, written: str) -> None:
        await send(mailer_of(), to)
        [path] = (tmp_path / "mail").iterdir()
        assert f"To: {written}\n" in path.read_text(encoding="utf-8")

    @pytest.mark.parametrize("to", ["a@example.com\r\nBcc: b@example.com", "a@example.com, b@example.com", "a"])
    async def test_what_is_no_single_address(
        self, mailer_of: MakeMailer, tmp_path: Path, log: list[Any], to: str
    ) -> None:
        await send(mailer_of(), to)
        assert [entry["event"] for entry in log] == ["mail_given_up"]
        assert not (tmp_path / "mail").exists()

    async def test_a_subject_is_one_line(self, mailer_of: MakeMailer, tmp_path: Path, log: list[Any]) -> None:
        await send(mailer_of(), subject="Hello\r\nBcc: b@example.com")
        assert [entry["event"] for entry in log] == ["mail_given_up"]
        assert not (tmp_path / "mail").exists()

    async def test_a_folder_that_cannot_be_written(
        self, mailer_of: MakeMailer, tmp_path: Path, log: list[Any]
    ) -> None:
        (tmp_path / "mail").write_text("in the way")
        await send(mailer_of())
        assert [entry["event"] for entry in log] == ["mail_given_up"]


class TestSmtp:
    @pytest.mark.parametrize("text", [TEXT, f"Hello Zoë 🐉,\n\n{TEXT}"])
    @pytest.mark.parametrize("extensions", [[], ["8BITMIME"], ["8BITMIME", "SMTPUTF8", "PIPELINING"]])
    async def test_arrives(
        self, server: SmtpServer, mailer_of: MakeMailer, log: list[Any], text: str, extensions: list[str]
    ) -> None:
        server.extensions = extensions
        async with server.listening() as port:
            await send(mailer_of(port), text=text)
        [raw] = server.mails
        assert "8BITMIME" in extensions or raw.isascii()
        message = read(raw)
        assert (message["To"], message["Subject"]) == ("mira@example.com", "A subject")
        assert message.get_content().replace("\r\n", "\n") == text
        assert server.recipients() == ["RCPT TO:<mira@example.com>"]
        assert any(line.startswith("MAIL FROM:<worldkeep@localhost>") for line in server.commands)
        assert [entry["event"] for entry in log] == ["mail_sent"]

    async def test_a_domain_in_letters_of_the_world(self, server: SmtpServer, mailer_of: MakeMailer) -> None:
        server.extensions = []
        async with server.listening() as port:
            await send(mailer_of(port), "mira@bücher.example")
        assert server.recipients() == ["RCPT TO:<mira@xn--bcher-kva.example>"]

    async def test_a_name_in_letters_of_the_world(
        self, server: SmtpServer, mailer_of: MakeMailer, log: list[Any]
    ) -> None:
        async with server.listening() as port:
            await send(mailer_of(port), "zoë@bücher.example")
            assert server.recipients() == ["RCPT TO:<zoë@bücher.example>"]
            server.extensions = ["8BITMIME"]
            await send(mailer_of(port), "zoë@bücher.example")
        assert len(server.mails) == 1
        assert log[-1]["event"] == "mail_given_up"

    async def test_tries_again(self, server: SmtpServer, mailer_of: MakeMailer, log: list[Any]) -> None:
        server.refuses = 2
        async with server.listening() as port:
            await send(mailer_of(port))
        assert len(server.mails) == 1
        assert [entry["event"] for entry in log] == ["mail_failed", "mail_failed", "mail_sent"]

    async def test_gives_up(self, server: SmtpServer, mailer_of: MakeMailer, log: list[Any]) -> None:
        server.refuses = 100
        async with server.listening() as port:
            await send(mailer_of(port))
        assert server.connections == 3
        # No server is listening.
        await send(mailer_of(port))
        assert [entry["event"] for entry in log] == ["mail_failed", "mail_failed", "mail_given_up"] * 2

    async def test_a_password_is_not_sent_unencrypted(
        self, server: SmtpServer, mailer_of: MakeMailer, log: list[Any]
    ) -> None:
        server.extensions = ["AUTH PLAIN LOGIN"]
        async with server.listening() as port:
            await send(mailer_of(port, "somebody:a%20secret@"))
        assert not [line for line in server.commands if line.upper().startswith("AUTH")]
        assert server.mails == []
        assert log[-1]["event"] == "mail_given_up"
        assert "secret" not in str(log)

    async def test_logs_hold_neither_the_text_nor_the_address(
        self, server: SmtpServer, mailer_of: MakeMailer, log: list[Any]
    ) -> None:
        async with server.listening() as port:
            await send(mailer_of(port))
        await send(mailer_of())
        assert TOKEN not in str(log)
        assert "mira@" not in str(log)


class TestClose:
    async def test_sends_what_waits(
        self, server: SmtpServer, mailer_of: MakeMailer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mail, "_DELAY_SECONDS", (3600, 3600))
        async with server.listening() as port:
            mailer = mailer_of(port)
            await mailer.send(lambda: ("mira@example.com", "A subject", TEXT))
            await asyncio.sleep(0.05)
            assert server.connections == 0
            await mailer.close()
        assert len(server.mails) == 1

    async def test_but_not_for_ever(
        self, server: SmtpServer, mailer_of: MakeMailer, log: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mail, "_CLOSE_SECONDS", 0.05)
        server.is_silent = True
        async with server.listening() as port:
            mailer = mailer_of(port)
            await mailer.send(lambda: ("mira@example.com", "A subject", TEXT))
            async with asyncio.timeout(5):
                await mailer.close()
        assert mailer._tasks == set()
        assert [entry["event"] for entry in log] == ["mail_given_up"]

    async def test_with_nothing_to_do(self, mailer_of: MakeMailer) -> None:
        await mailer_of().close()


class TestSettings:
    @pytest.mark.parametrize(
        "url", ["mail.example.com", "http://mail.example.com", "smtp://", "smtp://host:port", "smtps://host:99999"]
    )
    def test_an_invalid_url(self, url: str) -> None:
        with pytest.raises(ValidationError, match="a mail server is written as"):
            Settings(_env_file=None, smtp_url=url)

    @pytest.mark.parametrize("sender", ["", "Worldkeep", "a@example.com\r\nBcc: b@example.com"])
    def test_an_invalid_sender(self, sender: str) -> None:
        with pytest.raises(ValidationError, match="a sender is written as"):
            Settings(_env_file=None, mail_from=sender)
