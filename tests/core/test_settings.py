"""Settings: where they come from, what production refuses, and the page that lists them."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from game.cli import app
from game.core import schema
from game.core.limits import Rate
from game.core.settings import MIN_SECRET, Settings, documentation, unknown_settings

EVERY_SETTING: dict[str, tuple[str, Any]] = {
    "environment": ("development", "development"),
    "database_url": ("postgresql://u:p@db.example/w", SecretStr("postgresql://u:p@db.example/w")),
    "migration_database_url": ("postgres://db.example/w", SecretStr("postgresql://db.example/w")),
    "data_dir": ("/srv/worlds", Path("/srv/worlds")),
    "host": ("0.0.0.0", "0.0.0.0"),
    "port": ("8080", 8080),
    "workers": ("3", 3),
    "secret_key": ("a secret", SecretStr("a secret")),
    "allowed_hosts": ("example.org, *.example.org", ["example.org", "*.example.org"]),
    "cors_origins": (
        "https://a.example,https://b.example,",
        ["https://a.example", "https://b.example"],
    ),
    "trusted_proxies": ("10.0.0.1", ["10.0.0.1"]),
    "public_url": ("https://games.example.org/", "https://games.example.org"),
    "smtp_url": ("smtp://u:p@mail.example:587", SecretStr("smtp://u:p@mail.example:587")),
    "mail_from": ("Keep <keep@example.org>", "Keep <keep@example.org>"),
    "limit_login": ("3/minute", Rate(3, 60)),
    "limit_signup": ("100/2days", Rate(100, 172_800)),
    "limit_mail": ("1/hour", Rate(1, 3600)),
    "limit_code": ("7/minute", Rate(7, 60)),
    "limit_roll": ("7/minute", Rate(7, 60)),
    "limit_message": ("7/minute", Rate(7, 60)),
    "access_token_minutes": ("5", 5),
    "session_days": ("7", 7),
    "log_level": ("warning", "warning"),
    "log_format": ("json", "json"),
    "max_body_size": ("2048", 2048),
    "max_import_size": ("4096", 4096),
    "max_bundle_maps": ("5", 5),
    "max_bundle_assets": ("6", 6),
    "max_bundle_events": ("7", 7),
    "max_bundle_unpacked": ("2097152", 2**21),
    "bundle_timeout": ("12.5", 12.5),
    "quota_account_assets": ("11", 11),
    "quota_account_maps": ("12", 12),
    "quota_account_events": ("13", 13),
    "quota_universe_assets": ("14", 14),
    "quota_universe_maps": ("15", 15),
    "quota_universe_events": ("16", 16),
    "database_pool_size": ("4", 4),
    "hot_pool_size": ("2", 2),
    "hot_write_pool_size": ("3", 3),
    "compute_processes": ("3", 3),
    "compute_memory": ("256", 256),
    "live_fanout": ("none", "none"),
    "max_user_sockets": ("7", 7),
    "max_client_sockets": ("70", 70),
    "max_universe_sockets": ("71", 71),
    "max_sockets": ("72", 72),
    "head_timeout": ("3.5", 3.5),
    "request_timeout": ("2.5", 2.5),
    "shutdown_grace": ("4", 4),
}
PRODUCTION = {
    "environment": "production",
    "secret_key": "0123456789abcdef0123456789abcdef",
    "database_url": "postgresql://db.example/w",
    "allowed_hosts": "games.example.org",
}


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but the test's own."""
    for name in os.environ:
        if name.startswith("WORLDKEEP_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


class TestSources:
    @pytest.mark.parametrize(("name", "text", "value"), [(name, *pair) for name, pair in EVERY_SETTING.items()])
    def test_environment_and_file(
        self, name: str, text: str, value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / ".env").write_text(f"WORLDKEEP_{name.upper()}={text}\n")
        assert getattr(Settings(), name) == value
        (tmp_path / ".env").unlink()
        assert name == "environment" or getattr(Settings(), name) != value
        monkeypatch.setenv(f"WORLDKEEP_{name.upper()}", text)
        assert getattr(Settings(), name) == value

    def test_no_setting_is_left_out_above(self) -> None:
        assert list(EVERY_SETTING) == list(Settings.model_fields)

    def test_environment_wins_over_the_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / ".env").write_text("WORLDKEEP_PORT=1\nWORLDKEEP_WORKERS=2\n")
        monkeypatch.setenv("WORLDKEEP_PORT", "3")
        assert (Settings().port, Settings().workers) == (3, 2)

    def test_empty_means_not_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in Settings.model_fields:
            monkeypatch.setenv(f"WORLDKEEP_{name.upper()}", "")
        monkeypatch.setenv("DATABASE_URL", "")
        assert Settings() == Settings(_env_file=None)  # type: ignore[call-arg]  # of pydantic-settings, untyped
        assert Settings().database_url is None

    def test_other_names_are_left_alone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / ".env").write_text("COMPOSE_PROJECT_NAME=worlds\nPORT=1\n")
        monkeypatch.setenv("HOST", "elsewhere")
        assert (Settings().port, Settings().host) == (8000, "127.0.0.1")

    def test_home_in_the_data_directory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/mira")
        monkeypatch.setenv("WORLDKEEP_DATA_DIR", "~/worlds")
        assert Settings().data_dir == Path("/home/mira/worlds")

    @given(st.builds(Rate, st.integers(1, 999_999), st.integers(1, 999_999)))
    def test_rates_are_printed_as_they_are_read(self, rate: Rate) -> None:
        assert Rate.parse(str(rate)) == rate


class TestDatabaseUrl:
    @pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg"])
    def test_any_scheme_of_postgresql(self, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", f"{scheme}://u:p%40@db:5433/w?sslmode=require")
        assert Settings().url() == "postgresql://u:p%40@db:5433/w?sslmode=require"
        assert Settings().direct_url() == Settings().url()

    def test_the_prefixed_name_wins(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://other/w")
        monkeypatch.setenv("WORLDKEEP_DATABASE_URL", "postgresql://ours/w")
        assert Settings().url() == "postgresql://ours/w"

    def test_bare_name_in_the_file(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("DATABASE_URL=postgres://ours/w\n")
        assert Settings().url() == "postgresql://ours/w"

    def test_migrations_have_their_own(self) -> None:
        settings = Settings(database_url="postgres://pool/w", migration_database_url="postgres://direct/w")
        assert (settings.url(), settings.direct_url()) == ("postgresql://pool/w", "postgresql://direct/w")

    @pytest.mark.parametrize(
        "url",
        ["mysql://db/w", "db.example", "postgresql://", "postgresql://u:p/w@db/w", "postgresql://db:port/w"],
    )
    def test_refuses_invalid_values_without_echoing_them(self, url: str) -> None:
        with pytest.raises(ValidationError) as caught:
            Settings(database_url=url)
        assert "postgresql://user:password@host" in str(caught.value) or "port" in str(caught.value)
        assert caught.value.errors()[0]["msg"].count("p/w") == 0

    @pytest.mark.parametrize(
        "url", ["postgresql:///w?host=/run/postgresql", "postgresql://a:5432,b/w", "postgresql://u@[::1]:5432/w"]
    )
    def test_takes_what_libpq_takes(self, url: str) -> None:
        assert Settings(database_url=url).url() == url

    def test_is_not_printed(self) -> None:
        settings = Settings(
            database_url="postgresql://u:hidden@db/w", secret_key="hidden", smtp_url="smtp://u:hidden@m"
        )
        assert "hidden" not in repr(settings) + str(settings.model_dump())


class TestProduction:
    def test_starts_with_all_it_needs(self) -> None:
        assert Settings(**PRODUCTION).is_production

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"secret_key": None}, "WORLDKEEP_SECRET_KEY is missing: set it to"),
            ({"secret_key": "0123456789abcdef0123456789abcde"}, "WORLDKEEP_SECRET_KEY is too short"),
            ({"secret_key": "changeme"}, "WORLDKEEP_SECRET_KEY is too short or too easy to guess: use"),
            ({"secret_key": "changeme" * 4}, "WORLDKEEP_SECRET_KEY is too short or too easy to guess: use"),
            ({"secret_key": "x" * 64}, "WORLDKEEP_SECRET_KEY is too short or too easy to guess"),
            ({"database_url": None}, "WORLDKEEP_DATABASE_URL is missing"),
            ({"allowed_hosts": None}, "WORLDKEEP_ALLOWED_HOSTS is missing: set it to"),
            ({"allowed_hosts": " , "}, "WORLDKEEP_ALLOWED_HOSTS is missing: set it to"),
            ({"allowed_hosts": "*"}, r"WORLDKEEP_ALLOWED_HOSTS may not be `\*`: set it to"),
            ({"allowed_hosts": "games.example.org, *"}, r"WORLDKEEP_ALLOWED_HOSTS may not be `\*`"),
            *[
                ({"trusted_proxies": one}, r"WORLDKEEP_TRUSTED_PROXIES may not be `\*` or such a large network")
                for one in (
                    *("*", "0.0.0.0/0", "10.0.0.1, 0.0.0.0/0", "0.0.0.0/1,128.0.0.0/1", "64.0.0.0/7", "::/0"),
                    *("2000::/3", "::/64", "::ffff:0:0/96", "::ffff:0.0.0.0/97", "fc00::/6"),
                )
            ],
            ({"log_level": "debug"}, "WORLDKEEP_LOG_LEVEL may not be `debug`: set `info`"),
        ],
    )
    def test_refuses_by_name(self, changes: dict[str, str | None], message: str) -> None:
        """A missing, default or short secret, host `*`, debug: says which setting it is, and what to set."""
        values = {name: value for name, value in {**PRODUCTION, **changes}.items() if value is not None}
        with pytest.raises(ValidationError, match=message):
            Settings(**values)
        assert Settings(**{**values, "environment": "development"}).environment == "development"

    def test_names_all_faults_at_once(self) -> None:
        with pytest.raises(ValidationError) as caught:
            Settings(environment="production")
        for name in ("SECRET_KEY", "DATABASE_URL", "ALLOWED_HOSTS"):
            assert f"WORLDKEEP_{name} is missing" in str(caught.value)

    def test_does_not_print_the_secret(self) -> None:
        with pytest.raises(ValidationError) as caught:
            Settings(**{**PRODUCTION, "secret_key": "hidden"})
        assert "hidden" not in str([error["msg"] for error in caught.value.errors()])


def _secret(folder: Path) -> str:
    return Settings(data_dir=folder).secret()


class TestTrustedProxies:
    @pytest.mark.parametrize(
        "proxies",
        [
            "10.0.0.1",
            "10.0.0.0/8",
            "127.0.0.1, ::1",
            "fd00::/8",
            "fc00::/7",
            "2001:db8::/32",
            "::ffff:10.0.0.0/104",
        ],
    )
    def test_networks_of_one_site(self, proxies: str) -> None:
        assert Settings(**{**PRODUCTION, "trusted_proxies": proxies}).trusted_proxies

    @pytest.mark.parametrize("proxies", ["proxy", "10.0.0.1/8", "10.0.0.0/33", "10.0.0", "10.0.0.1:80", "[::1]"])
    def test_what_is_neither_an_address_nor_a_network(self, proxies: str) -> None:
        """Otherwise it would silently never be trusted."""
        with pytest.raises(ValidationError, match=r"a proxy is written as 10\.0\.0\.1 or 10\.0\.0\.0/24"):
            Settings(trusted_proxies=proxies)


class TestPublicUrl:
    @pytest.mark.parametrize(
        "url", ["games.example.org", "ftp://a.example", "https://", "https://a.example/games"]
    )
    def test_refuses_invalid_values(self, url: str) -> None:
        with pytest.raises(ValidationError, match="the server's address is written as"):
            Settings(public_url=url)


class TestUnknown:
    def test_names_the_nearest_setting(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WORLDKEEP_SECRETKEY", "x")
        monkeypatch.setenv("WORLDKEEP_QWERTY", "x")
        monkeypatch.setenv("WORLDKEEP_PORT", "1")
        # compose.yaml makes the database's URL of it.
        monkeypatch.setenv("WORLDKEEP_DATABASE_PASSWORD", "x")
        (tmp_path / ".env").write_text("WORLDKEEP_WORKER=2\nOTHER=1\nWORLDKEEP_HOST=::1\n")
        assert unknown_settings() == {
            "WORLDKEEP_QWERTY": None,
            "WORLDKEEP_SECRETKEY": "WORLDKEEP_SECRET_KEY",
            "WORLDKEEP_WORKER": "WORLDKEEP_WORKERS",
        }


class TestSecret:
    def test_is_the_one_that_is_set(self, tmp_path: Path) -> None:
        assert Settings(secret_key="ours", data_dir=tmp_path).secret() == "ours"
        assert not list(tmp_path.iterdir())

    def test_is_made_once_and_kept(self, tmp_path: Path) -> None:
        folder = tmp_path / "new" / "folder"
        made = _secret(folder)
        assert len(made) >= MIN_SECRET
        assert _secret(folder) == made != _secret(tmp_path / "other")
        assert (folder / "secret-key").stat().st_mode & 0o777 == 0o600
        assert [path.name for path in folder.iterdir()] == ["secret-key"]

    def test_is_one_for_all_that_make_it_at_once(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(4) as pool:
            for number in range(15):
                assert len(set(pool.map(_secret, [tmp_path / str(number)] * 4))) == 1


class TestDocumentation:
    def test_page_is_current(self) -> None:
        page = (schema.ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
        assert page == documentation(), "run `make settings`"

    def test_every_setting_is_explained(self) -> None:
        for name, field in Settings.model_fields.items():
            assert field.description, name
            assert f"| `WORLDKEEP_{name.upper()}` |" in documentation()

    @pytest.mark.parametrize(
        "name", ["README.md", "compose.yaml", "Dockerfile", "docs/operating.md", "docs/settings.md"]
    )
    def test_what_pages_name_exists(self, name: str) -> None:
        """Every setting and every command that a page speaks of."""
        text = (schema.ROOT / name).read_text(encoding="utf-8")
        known = {f"WORLDKEEP_{setting.upper()}" for setting in Settings.model_fields}
        # compose.yaml makes the database's URL of it.
        known.add("WORLDKEEP_DATABASE_PASSWORD")
        assert set(re.findall(r"WORLDKEEP_[A-Z_]*[A-Z]", text)) <= known
        commands = {
            command.name or command.callback.__name__ for command in app.registered_commands if command.callback
        }
        assert set(re.findall(r"python -m game ([a-z]+)", text)) <= commands

    def test_defaults_are_valid(self) -> None:
        assert Settings(**Settings().model_dump(exclude={"database_url"})) == Settings()
