"""Sending mail: by SMTP where it is configured, else as an `.eml` file in the data directory. After the answer."""

import asyncio
import re
import time
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog

from game.core.settings import Settings

log = structlog.get_logger()

_TRIES = 3
_TIMEOUT_SECONDS = 20


class Mailer:
    """Sends in tasks of its own, so that no answer waits for a mail server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tasks: set[asyncio.Task[None]] = set()

    async def post(self, to: str, subject: str, text: str) -> None:
        """Send a mail soon; returns at once."""
        message = EmailMessage()
        message["From"] = self._settings.mail_from
        message["To"] = to
        message["Subject"] = subject
        message["Date"] = formatdate(usegmt=True)
        message["Message-ID"] = make_msgid(domain="worldkeep")
        message.set_content(text)
        task = asyncio.create_task(self._deliver(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait a while for what is under way."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_TIMEOUT_SECONDS)

    async def _deliver(self, message: EmailMessage) -> None:
        url = self._settings.smtp_url
        if url is None:
            await asyncio.to_thread(self._write, message)
            return
        parts = urlsplit(url.get_secret_value())
        secure = parts.scheme == "smtps"
        for attempt in range(1, _TRIES + 1):
            try:
                await aiosmtplib.send(
                    message,
                    hostname=parts.hostname or "localhost",
                    port=parts.port or (465 if secure else 587),
                    username=unquote(parts.username) if parts.username else None,
                    password=unquote(parts.password) if parts.password else None,
                    use_tls=secure,
                    timeout=_TIMEOUT_SECONDS,
                )
            except (aiosmtplib.SMTPException, OSError) as error:
                log.warning("mail_failed", attempt=attempt, error=type(error).__name__)
                await asyncio.sleep(2**attempt)
            else:
                log.info("mail_sent", subject=message["Subject"])
                return
        log.error("mail_given_up", subject=message["Subject"])

    def _write(self, message: EmailMessage) -> None:
        folder = self._settings.data_dir / "mail"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        slug = re.sub(r"[^a-z0-9]+", "-", str(message["Subject"]).lower()).strip("-")
        path = folder / f"{time.time_ns()}-{slug}.eml"
        path.touch(mode=0o600)
        path.write_bytes(bytes(message))
        log.info("mail_written", file=str(path), hint="set WORLDKEEP_SMTP_URL to send mails")
