"""Signing up, verifying an address, and setting a forgotten password, over HTTP and by the mails that come."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from game.accounts import passwords
from game.accounts.manager import UserManager
from game.accounts.models import User
from game.accounts.tokens import AccessTokens
from game.core import mail
from game.core.limits import Rate
from game.core.settings import Settings
from tests.accounts.conftest import (
    PATIENCE_SECONDS,
    Mails,
    Threads,
    lets_in,
    new_address,
    token_in,
    until,
    waits_for_a_lock,
)
from tests.conftest import PASSWORD, Person, new_client

NewPerson = Callable[..., Awaitable[Person]]
AnotherApp = Callable[..., Awaitable[FastAPI]]
WELCOME, VERIFY, RESET = "Welcome to Worldkeep", "Verify your address", "Set a new password"
CHANGED = "Your password was changed"


async def sign_up(client: httpx2.AsyncClient, **fields: Any) -> httpx2.Response:
    return await client.post("/auth/register", json={"email": new_address(), "password": PASSWORD, **fields})


class Together(ThreadPoolExecutor):
    """Threads for passwords that are all done at the same moment."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self._barrier = threading.Barrier(count)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        return super().submit(self._work, fn, *args, **kwargs)

    def _work(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = fn(*args, **kwargs)
        self._barrier.wait(PATIENCE_SECONDS)
        return result


class TestRegister:
    async def test_valid(self, client: httpx2.AsyncClient) -> None:
        email = new_address()
        answer = await sign_up(client, email=f" {email.replace('example', 'EXAMPLE')} ", display_name=" Mira ")
        assert answer.status_code == 201
        body = answer.json()
        assert set(body) == {
            *("id", "email", "display_name", "is_active", "is_superuser", "is_verified"),
            *("version", "created_at", "updated_at"),
        }
        assert (body["email"], body["display_name"], body["version"]) == (email, "Mira", 1)
        assert (body["is_active"], body["is_superuser"], body["is_verified"]) == (True, False, False)
        assert answer.headers["etag"] == '"1"'
        assert answer.headers["cache-control"] == "no-store"
        assert "location" not in answer.headers or answer.headers["location"] == "/users/me"
        assert await lets_in(client, email, PASSWORD)

    async def test_without_a_name_it_is_made_of_the_id(self, client: httpx2.AsyncClient) -> None:
        """The default name does not reveal the address."""
        user = (await sign_up(client)).json()
        assert user["display_name"] == f"player-{user['id'][-4:]}"

    async def test_an_address_that_is_taken(self, client: httpx2.AsyncClient, owner: Person) -> None:
        answer = await sign_up(client, email=owner.email.upper())
        assert answer.status_code == 400
        assert answer.json()["code"] == "REGISTER_USER_ALREADY_EXISTS"
        assert not await lets_in(client, owner.email, PASSWORD + "x")

    async def test_case_variants_at_once(
        self, client: httpx2.AsyncClient, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Six parallel sign-ups of one address in case variants: one account, and its log-in works."""
        email = new_address()
        variants = [email, email.upper(), email.title(), email.swapcase(), email.capitalize(), f"{email} "]
        with Together(len(variants)) as together, monkeypatch.context() as patch:
            patch.setattr(passwords, "_THREADS", together)
            answers = await asyncio.gather(*(sign_up(client, email=variant) for variant in variants))
        assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400, 400, 400]
        count = "SELECT count(*) FROM account WHERE lower(email) = $1"
        assert await database.fetchval(count, email) == 1
        assert await lets_in(client, email, PASSWORD)

    @pytest.mark.parametrize(
        "password", ["", "7 chars", "x" * 129, "x" * 65_537, "x" * 2**20, None, 12345678, [], {}]
    )
    async def test_bad_passwords(self, client: httpx2.AsyncClient, password: Any) -> None:
        """Passwords that are empty, of 7 characters and of 1 MB are refused."""
        answer = await sign_up(client, password=password)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "password"
        assert len(answer.content) < 4_000

    @pytest.mark.parametrize("password", ["8 letter", "x" * 128, "        "])
    async def test_passwords_at_the_limits(self, client: httpx2.AsyncClient, password: str) -> None:
        email = new_address()
        assert (await sign_up(client, email=email, password=password)).status_code == 201
        assert await lets_in(client, email, password)

    @pytest.mark.parametrize(
        "email",
        [
            *("", " ", "mira", "mira@", "@example.com", "a b@example.com", "a@b@example.com", "mira@localhost"),
            *('"a b"@example.com', "a@[127.0.0.1]", "a\u2028b@example.com", "a\r\nBcc: x@example.com"),
            *(
                "a@example.com\r\nBcc: b@example.com",
                "a\0b@example.com",
                "a@exa\0mple.com",
                f"{'x' * 300}@example.com",
            ),
            *(None, 1, True, [], {}, ["a@example.com"]),
        ],
    )
    async def test_bad_addresses(self, client: httpx2.AsyncClient, email: Any) -> None:
        answer = await sign_up(client, email=email)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "email"

    @pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\nb", "a\x00b", "\x1b[31m", None, 5])
    async def test_bad_names(self, client: httpx2.AsyncClient, name: Any) -> None:
        assert (await sign_up(client, display_name=name)).status_code == 422

    @pytest.mark.parametrize(
        "field",
        [
            *("is_superuser", "is_active", "is_verified", "id", "owner_id", "version", "role", "hashed_password"),
            *("created_at", "username", "__class__"),
        ],
    )
    async def test_fields_that_are_not_the_clients(self, client: httpx2.AsyncClient, field: str) -> None:
        """`is_superuser`, `id`, `owner_id`, `version` and `role` are refused, and nothing is made."""
        email = new_address()
        answer = await sign_up(client, email=email, **{field: True})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]
        assert not await lets_in(client, email, PASSWORD)

    async def test_errors_are_short_and_echo_nothing(self, client: httpx2.AsyncClient) -> None:
        """A 422 about a body with a password echoes nothing; errors stay below 4 KB, for a 5 MB address too."""
        secret = "hunter2-hunter2"
        for fields in (
            {"email": "no address", "password": secret},
            {"email": f"{secret}@", "password": secret},
            {"email": new_address(), "password": secret * 20},
            {"email": [secret], "password": [secret], "display_name": {"a": secret}},
            {"email": secret * 3_000, "password": secret},
            {"email": "x" * 5_000_000 + "@example.com", "password": secret},
            {"email": "x" * 3_000_000 + "@example.com", "password": secret},
        ):
            answer = await sign_up(client, **fields)
            assert answer.status_code in (413, 422)
            assert secret not in answer.text
            assert len(answer.content) < 4_000
        answer = await sign_up(client, **{f"{number:02}{'é' * 400}": secret for number in range(40)})
        assert answer.status_code == 422
        assert secret not in answer.text
        assert len(answer.content) < 4_000

    async def test_hash_is_never_shown(
        self, owner: Person, superuser: Person, database: asyncpg.Connection
    ) -> None:
        hashed = await database.fetchval("SELECT hashed_password FROM account WHERE id = $1", UUID(owner.id))
        for answer in (
            await owner.client.get("/users/me"),
            await superuser.client.get(f"/users/{owner.id}"),
            await superuser.client.get("/users", params={"q": owner.email}),
            await owner.client.patch("/users/me", json={"display_name": "Mira"}),
        ):
            assert answer.status_code == 200
            assert "hashed" not in answer.text
            assert hashed not in answer.text

    async def test_limit(self, another_app: AnotherApp) -> None:
        app = await another_app(limit_signup=Rate(3, 3600))
        transport = httpx2.ASGITransport(app=app, client=("198.51.100.20", 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            headers = [{"x-forwarded-for": f"192.0.2.{number}"} for number in range(4)]
            body = {"password": PASSWORD}
            answers = [
                await client.post("/auth/register", json={**body, "email": new_address()}, headers=one)
                for one in headers
            ]
        assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
        assert 3_500 < int(answers[-1].headers["retry-after"]) <= 3_600


class TestWelcome:
    async def test_verifies_the_address(self, client: httpx2.AsyncClient, owner: Person, mails: Mails) -> None:
        [text] = await mails(owner.email, WELCOME)
        answer = await client.post("/auth/verify", json={"token": token_in(text)})
        assert answer.status_code == 200
        assert answer.json()["is_verified"] is True
        assert answer.headers["etag"] == '"2"'
        assert (await owner.client.get("/users/me")).json()["is_verified"] is True
        again = await client.post("/auth/verify", json={"token": token_in(text)})
        assert (again.status_code, again.json()["code"]) == (400, "VERIFY_USER_ALREADY_VERIFIED")

    async def test_contains_no_text_of_the_person_who_signed_up(
        self, client: httpx2.AsyncClient, mails: Mails
    ) -> None:
        """An address may belong to another person, who gets no text of a stranger."""
        email = new_address()
        await sign_up(client, email=email, display_name="Prizes at https://evil.example")
        await client.post("/auth/request-verify-token", json={"email": email})
        await client.post("/auth/forgot-password", json={"email": email})
        for subject in (WELCOME, VERIFY, RESET):
            [text] = await mails(email, subject)
            assert "evil" not in text


class TestVerify:
    @pytest.fixture
    async def token(self, owner: Person, mails: Mails) -> str:
        return token_in((await mails(owner.email, WELCOME))[0])

    async def test_asking_for_another_token(self, client: httpx2.AsyncClient, owner: Person, mails: Mails) -> None:
        answer = await client.post("/auth/request-verify-token", json={"email": owner.email.upper()})
        assert answer.status_code == 202
        [text] = await mails(owner.email, VERIFY)
        assert (await client.post("/auth/verify", json={"token": token_in(text)})).status_code == 200

    async def test_asking_tells_nothing(
        self, client: httpx2.AsyncClient, owner: Person, stranger: Person, database: asyncpg.Connection
    ) -> None:
        await database.execute("UPDATE account SET is_verified = true WHERE id = $1", UUID(stranger.id))
        answers = [
            await client.post("/auth/request-verify-token", json={"email": email})
            for email in (owner.email, stranger.email, new_address())
        ]
        assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}

    async def test_a_token_for_the_address_before(
        self, client: httpx2.AsyncClient, owner: Person, token: str, database: asyncpg.Connection
    ) -> None:
        query = "UPDATE account SET email = $1 WHERE id = $2"
        await database.execute(query, new_address(), UUID(owner.id))
        answer = await client.post("/auth/verify", json={"token": token})
        assert (answer.status_code, answer.json()["code"]) == (400, "VERIFY_USER_BAD_TOKEN")
        assert (await owner.client.get("/users/me")).json()["is_verified"] is False

    async def test_an_address_that_changes_meanwhile(
        self, client: httpx2.AsyncClient, owner: Person, token: str, database: asyncpg.Connection
    ) -> None:
        """A token never verifies an address other than the one that it was sent to."""
        async with database.transaction():
            await database.execute("UPDATE account SET email = $1 WHERE id = $2", new_address(), UUID(owner.id))
            verifying = asyncio.create_task(client.post("/auth/verify", json={"token": token}))
            await waits_for_a_lock(database)
        assert (await verifying).status_code == 400
        assert (await owner.client.get("/users/me")).json()["is_verified"] is False

    async def test_a_deactivated_account(
        self, client: httpx2.AsyncClient, owner: Person, token: str, database: asyncpg.Connection
    ) -> None:
        await database.execute("UPDATE account SET is_active = false WHERE id = $1", UUID(owner.id))
        assert (await client.post("/auth/verify", json={"token": token})).status_code == 400

    async def test_other_tokens(self, client: httpx2.AsyncClient, owner: Person, mails: Mails) -> None:
        await client.post("/auth/forgot-password", json={"email": owner.email})
        reset = token_in((await mails(owner.email, RESET))[0])
        for token in (reset, *owner.tokens.values(), "", "x", "e30.e30.e30", f"{reset}x"):
            answer = await client.post("/auth/verify", json={"token": str(token)})
            assert (answer.status_code, answer.json()["code"]) == (400, "VERIFY_USER_BAD_TOKEN")

    async def test_bad_bodies(self, client: httpx2.AsyncClient) -> None:
        for path in ("/auth/verify", "/auth/request-verify-token", "/auth/forgot-password"):
            bodies: list[Any] = [
                {},
                {"token": None},
                {"email": "x"},
                {"token": "x" * 2_001},
                {"token": "x", "id": 1},
            ]
            for body in [*bodies, []]:
                assert (await client.post(path, json=body)).status_code == 422


class TestForgotPassword:
    async def test_known_and_unknown_addresses_get_the_same(
        self, client: httpx2.AsyncClient, owner: Person, stranger: Person, database: asyncpg.Connection
    ) -> None:
        await database.execute("UPDATE account SET is_active = false WHERE id = $1", UUID(stranger.id))
        answers = [
            await client.post("/auth/forgot-password", json={"email": email})
            for email in (owner.email, stranger.email, new_address())
        ]
        assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}

    async def test_known_and_unknown_addresses_cost_the_same(
        self,
        client: httpx2.AsyncClient,
        owner: Person,
        threads: Threads,
        statements: list[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Forgot-password takes the same time for known and unknown addresses: what differs comes much later."""
        monkeypatch.setattr(mail, "_DELAY_SECONDS", (0.5, 0.5))
        tokens: list[str] = []
        make = UserManager.reset_token

        def note(manager: UserManager, user: User) -> str:
            tokens.append(user.email)
            return make(manager, user)

        monkeypatch.setattr(UserManager, "reset_token", note)

        async def cost(email: str) -> list[Any]:
            statements.clear()
            answer = await client.post("/auth/forgot-password", json={"email": email})
            return [answer.content, statements.copy(), threads.jobs.copy(), tokens.copy()]

        unknown, known = await cost(new_address()), await cost(owner.email)
        assert known == unknown
        assert [len(part) for part in known[1:]] == [1, 0, 0]
        await until(lambda: tokens == [owner.email])

    async def test_deactivated_accounts_get_no_mail(
        self,
        app: FastAPI,
        client: httpx2.AsyncClient,
        owner: Person,
        settings: Settings,
        database: asyncpg.Connection,
    ) -> None:
        await database.execute("UPDATE account SET is_active = false WHERE id = $1", UUID(owner.id))
        before = len(list((settings.data_dir / "mail").glob("*-set-a-new-password.eml")))
        assert (await client.post("/auth/forgot-password", json={"email": owner.email})).status_code == 202
        await until(lambda: not app.state.mailer._tasks)
        assert len(list((settings.data_dir / "mail").glob("*-set-a-new-password.eml"))) == before

    async def test_limit(self, another_app: AnotherApp, mails: Mails, owner: Person) -> None:
        """A client gets a limited number of mails to one address, regardless of its spelling and of the path."""
        app = await another_app(limit_mail=Rate(2, 3600))
        paths = ("/auth/forgot-password", "/auth/request-verify-token", "/auth/forgot-password")
        async with new_client(app, "198.51.100.30") as client:
            answers = [
                await client.post(path, json={"email": f" {owner.email.upper()}"[number % 2 :]})
                for number, path in enumerate(paths)
            ]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        assert 3_500 < int(answers[-1].headers["retry-after"]) <= 3_600
        await mails(owner.email, RESET, 1)

    async def test_strangers_do_not_lock_the_owner_out(
        self, another_app: AnotherApp, mails: Mails, owner: Person
    ) -> None:
        """After strangers have used up their resets of an address, its owner still gets a mail."""
        app = await another_app(limit_mail=Rate(2, 3600))
        for number in range(4):
            async with new_client(app, f"203.0.113.{number}") as stranger:
                body = {"email": owner.email}
                answers = [await stranger.post("/auth/forgot-password", json=body) for _ in range(3)]
                assert [answer.status_code for answer in answers] == [202, 202, 429]
        async with new_client(app, "198.51.100.31") as client:
            assert (await client.post("/auth/forgot-password", json={"email": owner.email})).status_code == 202
            token = token_in((await mails(owner.email, RESET, 9))[-1])
            body = {"token": token, "password": "a new password"}
            assert (await client.post("/auth/reset-password", json=body)).status_code == 200

    async def test_limit_of_an_address(self, another_app: AnotherApp, owner: Person) -> None:
        """However many clients ask, a mailbox is not flooded."""
        app = await another_app(limit_mail=Rate(1, 3600))
        statuses = []
        for number in range(12):
            async with new_client(app, f"203.0.113.{100 + number}") as client:
                answer = await client.post("/auth/forgot-password", json={"email": owner.email})
                statuses.append(answer.status_code)
        assert statuses == [202] * 10 + [429] * 2

    async def test_the_mail_links_to_the_page(
        self, client: httpx2.AsyncClient, another_app: AnotherApp, owner: Person, mails: Mails
    ) -> None:
        """At the address that the request was sent to, or at the one that is set; never at a foreign host."""
        body = {"email": owner.email}
        await client.post("/auth/forgot-password", json=body)
        [text] = await mails(owner.email, RESET)
        assert f" http://localhost/reset-password#token={token_in(text)}\n" in text
        foreign = await client.post("/auth/forgot-password", json=body, headers={"host": "evil.example"})
        assert foreign.status_code == 400
        app = await another_app(public_url="https://games.example.org")
        async with new_client(app) as other:
            await other.post("/auth/forgot-password", json=body)
        [_, text] = await mails(owner.email, RESET, 2)
        assert f" https://games.example.org/reset-password#token={token_in(text)}\n" in text

    async def test_limit_of_a_client(self, another_app: AnotherApp, database: asyncpg.Connection) -> None:
        """Asking for ever new addresses ends too, and leaves no more rows."""
        app = await another_app(limit_mail=Rate(1, 3600))
        transport = httpx2.ASGITransport(app=app, client=("198.51.100.40", 1))
        count = "SELECT count(*) FROM rate_limit WHERE key LIKE 'mail:%'"
        before = await database.fetchval(count)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answers = [
                await client.post("/auth/forgot-password", json={"email": new_address()}) for _ in range(12)
            ]
        assert [answer.status_code for answer in answers] == [202] * 10 + [429] * 2
        # One for the client, two for each address.
        assert await database.fetchval(count) == before + 21


class TestResetPassword:
    @pytest.fixture
    async def token(self, client: httpx2.AsyncClient, owner: Person, mails: Mails) -> str:
        await client.post("/auth/forgot-password", json={"email": owner.email})
        return token_in((await mails(owner.email, RESET))[0])

    async def reset(self, client: httpx2.AsyncClient, token: str, **fields: Any) -> httpx2.Response:
        return await client.post("/auth/reset-password", json={"token": token, "password": "a new one", **fields})

    async def test_once(self, client: httpx2.AsyncClient, owner: Person, token: str, mails: Mails) -> None:
        """A reset token works once; the sessions of before are ended."""
        answer = await self.reset(client, token)
        assert answer.status_code == 200
        assert answer.json()["id"] == owner.id
        again = await self.reset(client, token, password="another new one")
        assert (again.status_code, again.json()["code"]) == (400, "RESET_PASSWORD_BAD_TOKEN")
        assert await lets_in(client, owner.email, "a new one")
        assert not await lets_in(client, owner.email, PASSWORD)
        assert not await lets_in(client, owner.email, "another new one")
        assert (await owner.client.get("/users/me")).status_code == 401
        refresh = {"refresh_token": owner.tokens["refresh_token"]}
        assert (await client.post("/auth/jwt/refresh", json=refresh)).status_code == 401
        await mails(owner.email, CHANGED)

    async def test_twice_at_once(self, client: httpx2.AsyncClient, owner: Person, token: str) -> None:
        passwords = ["the first of two", "the second of two"]
        answers = await asyncio.gather(*(self.reset(client, token, password=one) for one in passwords))
        assert sorted(answer.status_code for answer in answers) == [200, 400]
        assert [await lets_in(client, owner.email, one) for one in passwords] == [
            answer.status_code == 200 for answer in answers
        ]

    async def test_a_refused_password_spends_nothing(
        self, client: httpx2.AsyncClient, owner: Person, token: str
    ) -> None:
        for password in ("", "7 chars", "x" * 129, None):
            assert (await self.reset(client, token, password=password)).status_code == 422
        assert (await self.reset(client, token)).status_code == 200

    async def test_a_token_from_before_a_change(
        self, client: httpx2.AsyncClient, owner: Person, token: str
    ) -> None:
        body = {"password": "changed meanwhile", "current_password": PASSWORD}
        assert (await owner.client.patch("/users/me", json=body)).status_code == 200
        assert (await self.reset(client, token)).status_code == 400

    async def test_a_token_that_went_to_another_address(
        self, client: httpx2.AsyncClient, owner: Person, token: str, mails: Mails
    ) -> None:
        """Who reads the mailbox that was given up cannot take the account with it."""
        address = new_address()
        body = {"email": address, "current_password": PASSWORD}
        assert (await owner.client.patch("/users/me", json=body)).status_code == 200
        [confirm] = await mails(address, "Confirm your new address")
        assert (await client.post("/auth/verify", json={"token": token_in(confirm)})).status_code == 200
        assert (await self.reset(client, token)).status_code == 400

    async def test_a_deactivated_account(
        self, client: httpx2.AsyncClient, owner: Person, token: str, database: asyncpg.Connection
    ) -> None:
        await database.execute("UPDATE account SET is_active = false WHERE id = $1", UUID(owner.id))
        assert (await self.reset(client, token)).status_code == 400

    async def test_other_tokens(
        self, client: httpx2.AsyncClient, owner: Person, mails: Mails, settings: Settings, token: str
    ) -> None:
        verify = token_in((await mails(owner.email, WELCOME))[0])
        access = AccessTokens(settings.secret()).sign(UUID(owner.id), UUID(int=0), 60)
        for wrong in (
            verify,
            access,
            owner.tokens["refresh_token"],
            "",
            "x",
            "e30.e30.e30",
            token[:-2],
            f"{token}x",
        ):
            answer = await self.reset(client, wrong)
            assert (answer.status_code, answer.json()["code"]) == (400, "RESET_PASSWORD_BAD_TOKEN")
        assert await lets_in(client, owner.email, PASSWORD)

    async def test_an_expired_token(
        self, client: httpx2.AsyncClient, owner: Person, mails: Mails, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(UserManager, "reset_password_token_lifetime_seconds", -1)
        monkeypatch.setattr(UserManager, "verification_token_lifetime_seconds", -1)
        await client.post("/auth/forgot-password", json={"email": owner.email})
        await client.post("/auth/request-verify-token", json={"email": owner.email})
        [reset], [verify] = await mails(owner.email, RESET), await mails(owner.email, VERIFY)
        assert (await self.reset(client, token_in(reset))).status_code == 400
        assert (await client.post("/auth/verify", json={"token": token_in(verify)})).status_code == 400

    async def test_a_bad_token_costs_no_hash(self, client: httpx2.AsyncClient, threads: Threads) -> None:
        await self.reset(client, "x")
        assert threads.jobs == []

    async def test_fields_that_are_not_the_clients(
        self, client: httpx2.AsyncClient, owner: Person, token: str
    ) -> None:
        for field in ("is_superuser", "id", "owner_id", "version", "role", "email"):
            assert (await self.reset(client, token, **{field: owner.id})).status_code == 422
        assert await lets_in(client, owner.email, PASSWORD)


class TestMails:
    async def test_no_answer_waits_for_one(
        self, another_app: AnotherApp, settings: Settings, mails: Mails
    ) -> None:
        """People can sign up even if mails cannot be written."""
        (blocked := settings.data_dir / f"blocked-{uuid4().hex}").mkdir()
        (blocked / "mail").write_text("a file where the folder should be")
        app = await another_app(data_dir=blocked)
        async with new_client(app) as client:
            assert (await sign_up(client)).status_code == 201
            await until(lambda: not app.state.mailer._tasks)
