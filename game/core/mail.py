"""Sending mail in the background: by SMTP if it is configured, otherwise to `.eml` files in the data directory."""

import asyncio
import random
import re
import time
from collections.abc import Callable
from contextlib import suppress
from email.message import EmailMessage
from email.policy import default
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog
from email_validator import validate_email

from game.core.settings import Settings

log = structlog.get_logger()

_DELAY_SECONDS = (0.5, 1.5)
_MAX_ATTEMPTS = 3
_TIMEOUT_SECONDS = 20
_PAUSE_SECONDS = 2.0
_CLOSE_SECONDS = 5.0
_READABLE = default.clone(utf8=True)


class Mailer:
    """Sends mails in background tasks, so that requests do not wait for a mail server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    async def send(self, compose: Callable[[], tuple[str, str, str]]) -> None:
        """Send a mail in the background. `compose` is called when the mail is sent, and returns its address,
        subject and text.

        It is sent after a random delay: if sending slowed down the next request, response times would reveal which
        addresses have accounts.
        """
        task = asyncio.create_task(self._deliver(compose))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Send the pending mails, for at most a few seconds."""
        self._closing.set()
        if self._tasks:
            _, unfinished = await asyncio.wait(self._tasks, timeout=_CLOSE_SECONDS)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished)

    async def _deliver(self, compose: Callable[[], tuple[str, str, str]]) -> None:
        url = self._settings.smtp_url
        delay = random.uniform(*_DELAY_SECONDS)  # noqa: S311 - no secret
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), delay)
            message = self._message(*compose())
            if url is None:
                await asyncio.to_thread(self._write_file, message)
            else:
                await self._send_by_smtp(message, url.get_secret_value())
        except (Exception, asyncio.CancelledError) as error:
            log.error("mail_given_up", error=type(error).__name__)

    def _message(self, to: str, subject: str, text: str) -> EmailMessage:
        message = EmailMessage(_READABLE)
        message["From"] = self._settings.mail_from
        address = validate_email(to, check_deliverability=False)
        # Few mail servers accept non-ASCII addresses; a domain can always be written in ASCII.
        message["To"] = address.ascii_email or address.normalized
        message["Subject"] = subject
        message["Date"] = formatdate(usegmt=True)
        message["Message-ID"] = make_msgid(domain="worldkeep")
        # Unencoded, so that links and tokens can be copied from the file.
        message.set_content(text, cte="7bit" if text.isascii() else "8bit")
        return message

    async def _send_by_smtp(self, message: EmailMessage, url: str) -> None:
        parts = urlsplit(url)
        secure = parts.scheme == "smtps"
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            try:
                await aiosmtplib.send(
                    message,
                    hostname=parts.hostname,
                    port=parts.port or (465 if secure else 587),
                    username=unquote(parts.username) if parts.username else None,
                    password=unquote(parts.password) if parts.password else None,
                    use_tls=secure,
                    # STARTTLS if the server offers it; required before a password is sent.
                    start_tls=True if parts.username and not secure else None,
                    timeout=_TIMEOUT_SECONDS,
                )
            except (aiosmtplib.SMTPException, OSError) as error:
                if attempt == _MAX_ATTEMPTS:
                    raise
                log.warning("mail_failed", attempt=attempt, error=type(error).__name__)
            else:
                log.info("mail_sent", subject=message["Subject"])
                return
            await asyncio.sleep(_PAUSE_SECONDS**attempt)

    def _write_file(self, message: EmailMessage) -> None:
        folder = self._settings.data_dir / "mail"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        slug = re.sub(r"[^a-z0-9]+", "-", str(message["Subject"]).lower()).strip("-")
        path = folder / f"{time.time_ns()}-{slug}.eml"
        path.touch(mode=0o600)
        path.write_bytes(bytes(message))
        log.info("mail_written", file=str(path), hint="set WORLDKEEP_SMTP_URL to send mails")
