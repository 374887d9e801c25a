"""Every setting, with its default: environment variables with the prefix WORLDKEEP_, or a `.env` file."""

import os
import secrets
from contextlib import suppress
from difflib import get_close_matches
from email.utils import parseaddr
from ipaddress import IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from game.core.embedded import default_data_dir
from game.core.limits import Rate

MIN_SECRET = 32
_MIN_DIFFERENT_CHARACTERS = 8
"""The minimum number of different characters of a secret."""
_WIDEST_IPV4, _WIDEST_IPV6 = 8, 32
"""The shortest prefixes of networks that may be trusted as proxies: 10.0.0.0/8, and the allocation of one
provider."""
_PREFIX = "WORLDKEEP_"
_COMPOSE_ONLY = {"DATABASE_PASSWORD"}
"""Variables that compose.yaml reads, and the server does not."""

# Read from text by our validators, not as JSON.
CommaSeparated = Annotated[list[str], NoDecode]
RateText = Annotated[Rate, NoDecode]


class Settings(BaseSettings):
    """All settings. Production requires those without a default; development generates and stores them."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        # `${WORLDKEEP_SMTP_URL:-}` in a compose file means that it is not set.
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
    )

    environment: Literal["development", "production"] = Field(
        "development",
        description="With `production`, the server does not start with missing or weak secrets, or if it accepts "
        "any host.",
    )
    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("WORLDKEEP_DATABASE_URL", "DATABASE_URL"),
        description="`postgresql://user:password@host:5432/name`. If it is not set, the embedded PostgreSQL is "
        "used.",
    )
    migration_database_url: SecretStr | None = Field(
        None,
        description="A direct connection for migrations and backups, if DATABASE_URL goes through PgBouncer.",
    )
    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="The directory of the embedded database, unsent mails, the generated secret key and the demo "
        "log-ins. Default: `/var/lib/worldkeep` for root, otherwise the user's data directory.",
    )
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on.")
    workers: int = Field(1, ge=1, le=64, description="Number of processes that serve requests.")
    secret_key: SecretStr | None = Field(
        None,
        description="The key that signs tokens, at least 32 characters; `openssl rand -hex 32` generates one. If "
        "it is not set, a key is generated and stored in the data directory.",
    )
    allowed_hosts: CommaSeparated = Field(
        ["localhost", "127.0.0.1", "[::1]"],
        description="Host names that requests may use, separated by commas; `*.example.org` includes subdomains. "
        "`localhost`, `127.0.0.1` and `[::1]` are always allowed.",
    )
    cors_origins: CommaSeparated = Field(
        [], description="Origins of other web pages that may call the API; `*` for all, but then without cookies."
    )
    trusted_proxies: CommaSeparated = Field(
        [],
        description="Addresses or networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are "
        "trusted.",
    )
    public_url: str | None = Field(
        None,
        description="The base URL for links in mails, as browsers reach the server: `https://games.example.org`. "
        "If it is not set, the host of the request is used.",
    )

    smtp_url: SecretStr | None = Field(
        None,
        description="`smtp://user:password@host:587` (STARTTLS) or `smtps://`. If it is not set, mails are "
        "written to files in the data directory.",
    )
    mail_from: str = Field("Worldkeep <worldkeep@localhost>", description="The sender of mails.")

    limit_login: RateText = Field(
        Rate(8, 60),
        description="Failed log-ins per client and e-mail address; ten times that per client.",
    )
    limit_signup: RateText = Field(Rate(20, 3600), description="Sign-ups per client.")
    limit_mail: RateText = Field(
        Rate(5, 3600),
        description="Mails requested per client and recipient; ten times that per client and per recipient.",
    )
    limit_code: RateText = Field(Rate(60, 60), description="Wrong invitation codes per client.")
    limit_roll: RateText = Field(Rate(600, 60), description="Dice rolls per user.")
    limit_message: RateText = Field(Rate(300, 60), description="Messages per user.")
    access_token_minutes: int = Field(15, ge=1, le=1440, description="Lifetime of an access token, in minutes.")
    session_days: int = Field(30, ge=1, le=365, description="Days after which an unused session expires.")

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The lowest level that is logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`json`, `console`, or `auto`: JSON in production, console otherwise."
    )

    max_body_size: int = Field(4 * 2**20, ge=1024, description="Maximum size of a request body, in bytes.")
    max_import_size: int = Field(
        64 * 2**20,
        ge=1024,
        description="Maximum size of an upload (a map with its pictures, a universe, a picture), in bytes.",
    )
    max_bundle_maps: int = Field(1_000, ge=1, description="Maximum number of maps in an imported universe.")
    max_bundle_assets: int = Field(2_000, ge=1, description="Maximum number of pictures in an imported universe.")
    max_bundle_events: int = Field(200_000, ge=1, description="Maximum number of events in an imported universe.")
    max_bundle_unpacked: int = Field(
        512 * 2**20,
        ge=2**20,
        description="Maximum unpacked size of an imported universe without its maps, in bytes.",
    )
    bundle_timeout: float = Field(
        60.0,
        gt=0,
        le=600,
        description="Seconds that each step of an export, of an import, or of reading a map's past may take.",
    )
    quota_account_assets: int = Field(
        500 * 2**20,
        ge=0,
        description="Quota of an account for pictures, in bytes: all universes that it owns together.",
    )
    quota_account_maps: int = Field(256 * 2**20, ge=0, description="Quota of an account for maps, in bytes.")
    quota_account_events: int = Field(
        2**30, ge=0, description="Quota of an account for events (the history), in bytes."
    )
    quota_universe_assets: int = Field(
        500 * 2**20, ge=0, description="Quota of a universe for pictures, in bytes."
    )
    quota_universe_maps: int = Field(256 * 2**20, ge=0, description="Quota of a universe for maps, in bytes.")
    quota_universe_events: int = Field(2**30, ge=0, description="Quota of a universe for events, in bytes.")
    database_pool_size: int = Field(10, ge=1, le=200, description="Database connections per worker for requests.")
    hot_pool_size: int = Field(3, ge=1, le=50, description="Database connections per worker for fast reads.")
    hot_write_pool_size: int = Field(
        4, ge=1, le=100, description="Database connections per worker for fast writes."
    )
    compute_processes: int = Field(
        2,
        ge=1,
        le=64,
        description="Compute processes per worker, for pictures, paths, sight and large edits.",
    )
    compute_memory: int = Field(1024, ge=128, description="Memory limit of a compute process, in MiB.")
    live_fanout: Literal["auto", "none", "postgres"] = Field(
        "auto",
        description="How workers notify each other for the live feed: `postgres` uses NOTIFY, `none` does not, "
        "`auto` is `postgres` with several workers. Set `postgres` if several servers use one database.",
    )
    max_user_sockets: int = Field(20, ge=1, description="Maximum live sockets of a user in one worker.")
    max_client_sockets: int = Field(
        200,
        ge=1,
        description="Maximum live sockets of a client address in one worker; several players may share an "
        "address.",
    )
    max_universe_sockets: int = Field(2000, ge=1, description="Maximum live sockets of a universe in one worker.")
    max_sockets: int = Field(
        20_000, ge=1, description="Maximum live sockets in one worker; each takes about 35 kB of memory."
    )
    head_timeout: float = Field(
        10.0,
        gt=0,
        le=300,
        description="Seconds within which a new connection must send the request line and headers.",
    )
    request_timeout: float = Field(4.0, gt=0, le=300, description="Seconds after which a request is aborted.")
    shutdown_grace: int = Field(
        10, ge=1, le=300, description="Seconds that running requests have to finish when the server stops."
    )

    @field_validator("allowed_hosts", "cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator(
        "limit_login", "limit_signup", "limit_mail", "limit_code", "limit_roll", "limit_message", mode="before"
    )
    @classmethod
    def _rate(cls, value: Any) -> Any:
        return Rate.parse(value) if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for one in value:
            try:
                one == "*" or ip_network(one)
            except ValueError:
                raise ValueError("a proxy is written as 10.0.0.1 or 10.0.0.0/24") from None
        return value

    @field_validator("public_url")
    @classmethod
    def _origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError("the server's address is written as https://games.example.org")
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("database_url", "migration_database_url")
    @classmethod
    def _as_libpq(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        scheme, _, rest = value.get_secret_value().strip().partition("://")
        if scheme.partition("+")[0] not in ("postgres", "postgresql") or not rest:
            raise ValueError("a database is written as postgresql://user:password@host:5432/name")
        for host in rest.partition("/")[0].rpartition("@")[2].split(","):
            _, colon, port = host.rpartition("]")[2].rpartition(":")
            if colon and not port.isdigit():
                raise ValueError("its port is not a number (write / : @ in a password as %2F %3A %40)")
        return SecretStr(f"postgresql://{rest}")

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            parts = urlsplit(value.get_secret_value() if value else "smtp://none")
            if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.port == 0:
                raise ValueError
        except ValueError:
            message = "a mail server is written as smtp://user:password@host:587 or smtps://user:password@host:465"
            raise ValueError(message) from None
        return value

    @field_validator("mail_from")
    @classmethod
    def _sender(cls, value: str) -> str:
        if "@" not in parseaddr(value)[1] or not value.isprintable():
            raise ValueError("a sender is written as `Worldkeep <worldkeep@example.org>`")
        return value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @model_validator(mode="after")
    def _safe_in_production(self) -> Self:
        if not self.is_production:
            return self
        faults = []
        secret = self.secret_key.get_secret_value() if self.secret_key else ""
        if not secret:
            faults.append("WORLDKEEP_SECRET_KEY is missing: set it to the output of `openssl rand -hex 32`")
        elif len(secret) < MIN_SECRET or len(set(secret)) < _MIN_DIFFERENT_CHARACTERS:
            faults.append(
                f"WORLDKEEP_SECRET_KEY is too short or too easy to guess: use at least {MIN_SECRET} random "
                "characters"
            )
        if self.database_url is None:
            faults.append("WORLDKEEP_DATABASE_URL is missing: the embedded database is for development")
        if "allowed_hosts" not in self.model_fields_set or not self.allowed_hosts:
            faults.append("WORLDKEEP_ALLOWED_HOSTS is missing: set it to the server's host names")
        elif any(host in ("*", "*.") for host in self.allowed_hosts):
            faults.append("WORLDKEEP_ALLOWED_HOSTS may not be `*`: set it to the server's host names")
        if any(one == "*" or _is_too_wide(one) for one in self.trusted_proxies):
            faults.append(
                "WORLDKEEP_TRUSTED_PROXIES may not be `*` or such a large network: set it to the proxy's address"
            )
        if self.log_level == "debug":
            faults.append("WORLDKEEP_LOG_LEVEL may not be `debug`: set `info`")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def is_production(self) -> bool:
        """Whether this is a production server."""
        return self.environment == "production"

    def secret(self) -> str:
        """The key that signs tokens. In development, it is generated on first use and stored."""
        if self.secret_key:
            return self.secret_key.get_secret_value()
        path = self.data_dir / "secret-key"
        if not path.exists():
            # Written to another file and then linked, so that processes that start at the same time use the same
            # key.
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            own = path.with_name(f"secret-key.{secrets.token_hex(8)}")
            with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_hex(MIN_SECRET))
            with suppress(FileExistsError):
                os.link(own, path)
            own.unlink()
        return path.read_text().strip()

    def url(self) -> str:
        """The database's URL as libpq and asyncpg take it."""
        if self.database_url is None:
            raise RuntimeError("The embedded PostgreSQL is not running: start through `python -m game`.")
        return self.database_url.get_secret_value()

    def direct_url(self) -> str:
        """The database's URL for migrations and backups, which need a direct connection."""
        direct = self.migration_database_url
        return direct.get_secret_value() if direct else self.url()


def _is_too_wide(network: str) -> bool:
    """Whether a network is larger than that of one site, so that others in it could forge client addresses."""
    found = ip_network(network)
    if isinstance(found, IPv6Network):
        mapped = IPv6Network("::ffff:0:0/96")
        if mapped.subnet_of(found):
            return True
        if found.subnet_of(mapped):
            return found.prefixlen - mapped.prefixlen < _WIDEST_IPV4
        # fc00::/7 is for private networks, and fe80::/10 for a link.
        is_private = any(found.subnet_of(IPv6Network(one)) for one in ("fc00::/7", "fe80::/10"))
        return found.prefixlen < _WIDEST_IPV6 and not is_private
    return found.prefixlen < _WIDEST_IPV4


def unknown_settings() -> dict[str, str | None]:
    """Unknown names with our prefix in the environment or `.env`, each with the most similar setting."""
    known = {name.upper() for name in Settings.model_fields}
    found = {name.upper() for name in (*os.environ, *dotenv_values(".env"))}
    unknown = {name.removeprefix(_PREFIX) for name in found if name.startswith(_PREFIX)} - known - _COMPOSE_ONLY
    nearest = {name: get_close_matches(name, known, 1) for name in sorted(unknown)}
    return {_PREFIX + name: _PREFIX + one[0] if one else None for name, one in nearest.items()}


_INTRODUCTION = """# Settings

Settings are environment variables, or lines of a file `.env` in the working directory (`WORLDKEEP_PORT=8080`).
Options of the command line (`--port 8080`) take precedence over environment variables, and those over the file. An
empty value means that the setting is not set. Lists are separated by commas. `DATABASE_URL` works without the
prefix, too.

With `WORLDKEEP_ENVIRONMENT=production`, the server requires `WORLDKEEP_SECRET_KEY`, `WORLDKEEP_DATABASE_URL` and
`WORLDKEEP_ALLOWED_HOSTS`, and refuses `*` for hosts or proxies, and the log level `debug`. It then does not start,
and says which settings to change. `python -m game doctor` checks an installation.

<!-- `make settings` writes this file. -->

| setting | default | meaning |
|---|---|---|
"""


def documentation() -> str:
    """docs/settings.md: all settings, as Markdown."""

    def default(field: FieldInfo) -> str:
        value = field.default
        if field.default_factory is not None:
            return "see meaning"
        if value is None or value == []:
            return "none"
        return f"`{','.join(value) if isinstance(value, list) else value}`"

    rows = [
        f"| `WORLDKEEP_{name.upper()}` | {default(field)} | {field.description} |\n"
        for name, field in Settings.model_fields.items()
    ]
    return _INTRODUCTION + "".join(rows)
