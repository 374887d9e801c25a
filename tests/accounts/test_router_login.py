"""Logging in and out over HTTP, by token and by cookie; refresh tokens; log-ins by device."""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import bcrypt
import httpx2
import jwt
import pytest
from fastapi import FastAPI

from game.accounts.models import MAX_SESSIONS
from game.accounts.tokens import ACCESS_AUDIENCE, COOKIE, derive_key
from game.core.limits import Rate
from game.core.settings import Settings
from tests.accounts.conftest import Mails, Threads, knows, log_in, refresh, token_in, until
from tests.conftest import PASSWORD, Person, new_client

NewPerson = Callable[..., Awaitable[Person]]
AnotherApp = Callable[..., Awaitable[FastAPI]]
WRONG = "quite another password"


def session_of(access_token: str) -> str:
    return str(jwt.decode(access_token, options={"verify_signature": False})["sid"])


class TestLogIn:
    async def test_valid(self, client: httpx2.AsyncClient, owner: Person) -> None:
        answer = await log_in(client, owner)
        assert answer.status_code == 200
        body = answer.json()
        assert set(body) == {"access_token", "refresh_token", "token_type", "expires_in"}
        assert (body["token_type"], body["expires_in"]) == ("bearer", 900)
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
        claims = jwt.decode(body["access_token"], options={"verify_signature": False})
        assert claims["exp"] - claims["iat"] == 900
        assert await knows(client, body["access_token"])

    async def test_each_is_a_session_of_its_own(self, client: httpx2.AsyncClient, owner: Person) -> None:
        first, second = [(await log_in(client, owner)).json() for _ in range(2)]
        assert session_of(first["access_token"]) != session_of(second["access_token"])

    async def test_an_answer_to_an_unknown_address_is_that_to_a_wrong_password(
        self, client: httpx2.AsyncClient, owner: Person, stranger: Person, database: asyncpg.Connection
    ) -> None:
        await database.execute("UPDATE account SET is_active = false WHERE id = $1", UUID(stranger.id))
        answers = [
            await log_in(client, owner, password=WRONG),
            await log_in(client, owner, username="nobody@example.com"),
            await log_in(client, owner, username="no address at all"),
            await log_in(client, stranger),  # deactivated
            await log_in(client, owner, password="x" * 2_000),
        ]
        bodies = [{**answer.json(), "request_id": ""} for answer in answers]
        assert {answer.status_code for answer in answers} == {400}
        assert bodies[0]["code"] == "LOGIN_BAD_CREDENTIALS"
        assert bodies == [bodies[0]] * len(bodies)

    async def test_known_and_unknown_addresses_cost_the_same(
        self, client: httpx2.AsyncClient, owner: Person, threads: Threads, statements: list[str]
    ) -> None:
        """Log-ins of known and unknown addresses take the same time: the same hashes and the same queries."""

        async def cost(username: str) -> tuple[list[str], list[str]]:
            threads.jobs.clear()
            statements.clear()
            assert (await log_in(client, owner, username=username, password=WRONG)).status_code == 400
            return threads.jobs.copy(), statements.copy()

        known, unknown = await cost(owner.email), await cost("nobody@example.com")
        assert known == unknown
        assert [len(part) for part in known] == [1, 1]

    async def test_an_address_in_another_spelling(self, client: httpx2.AsyncClient, owner: Person) -> None:
        for spelling in (owner.email.upper(), owner.email.swapcase(), f"  {owner.email} "):
            assert (await log_in(client, owner, username=spelling)).status_code == 200, spelling

    async def test_an_address_in_letters_of_the_world(
        self, client: httpx2.AsyncClient, new_person: NewPerson
    ) -> None:
        mark = time.time_ns()
        person = await new_person(email=f"zoe\u0301{mark}@B\u00dcCHER.example")
        for spelling in (f"zo\u00e9{mark}@b\u00fccher.example", f"zoe\u0301{mark}@xn--bcher-kva.example"):
            assert (await log_in(client, person, username=spelling)).status_code == 200

    @pytest.mark.parametrize("password", ["  spaces around  ", "пароль из слов", "🗝️ key 🗝️ key", "a\u0301" * 8])
    async def test_any_characters_in_a_password(
        self, client: httpx2.AsyncClient, new_person: NewPerson, password: str
    ) -> None:
        person = await new_person(password=password)
        assert (await log_in(client, person, password=password)).status_code == 200
        assert (await log_in(client, person, password=password[:-1])).status_code == 400

    @pytest.mark.parametrize("path", ["/auth/jwt/login", "/auth/cookie/login"])
    @pytest.mark.parametrize("form", [b"username=a%00b&password=cccccccc", b"username=ab&password=ccc%00ccccc"])
    async def test_a_null_character(self, client: httpx2.AsyncClient, path: str, form: bytes) -> None:
        """U+0000 in a log-in name is refused."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await client.post(path, content=form, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["code"] == "null_character"

    @pytest.mark.parametrize(
        "charset", ["unicode_escape", "utf-7", "raw_unicode_escape", "idna", "hex", "rot13", "?"]
    )
    async def test_a_form_in_parts_with_a_strange_encoding(self, client: httpx2.AsyncClient, charset: str) -> None:
        part = '--x\r\nContent-Disposition: form-data; name="{}"\r\n\r\n\\ud800+2AA-{}\r\n'
        body = part.format("username", "@example.com") + part.format("password", "cccccccc") + "--x--\r\n"
        headers = {"content-type": f"multipart/form-data; boundary=x; charset={charset}"}
        answer = await client.post("/auth/jwt/login", content=body.encode(), headers=headers)
        assert answer.status_code in (400, 422)

    async def test_a_file_as_a_name(self, client: httpx2.AsyncClient) -> None:
        files = {"username": ("a.txt", b"somebody@example.com")}
        answer = await client.post("/auth/jwt/login", data={"password": "cccccccc"}, files=files)
        assert answer.status_code == 422

    @pytest.mark.parametrize(
        "form", [{}, {"username": "a@example.com"}, {"password": "cccccccc"}, {"username": ""}]
    )
    async def test_missing_fields(self, client: httpx2.AsyncClient, form: dict[str, str]) -> None:
        answer = await client.post("/auth/jwt/login", data=form)
        assert answer.status_code == 422
        assert "cccccccc" not in answer.text

    @pytest.mark.parametrize("password", ["", "7 chars", "x" * 2**20])
    async def test_invalid_passwords(self, client: httpx2.AsyncClient, owner: Person, password: str) -> None:
        """Passwords that are empty, of 7 characters and of 1 MB are refused."""
        answer = await log_in(client, owner, password=password)
        assert answer.status_code in (400, 422)
        assert len(answer.content) < 4_000

    async def test_an_older_hash_is_replaced_and_the_account_keeps_its_version(
        self, client: httpx2.AsyncClient, owner: Person, database: asyncpg.Connection
    ) -> None:
        old = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        query = "UPDATE account SET hashed_password = $1 WHERE id = $2"
        await database.execute(query, old, UUID(owner.id))
        assert (await log_in(client, owner, password="x" * 100)).status_code == 400
        assert (await log_in(client, owner)).status_code == 200
        query = "SELECT hashed_password FROM account WHERE id = $1 AND version = 1"
        assert (await database.fetchval(query, UUID(owner.id))).startswith("$argon2id$")
        assert (await log_in(client, owner)).status_code == 200

    async def test_hashing_holds_up_neither_the_loop_nor_the_database(
        self, client: httpx2.AsyncClient, owner: Person, settings: Settings, threads: Threads
    ) -> None:
        """Many clients log in at once: /health and writes of others are not blocked while passwords are
        checked."""
        many = settings.database_pool_size + 6
        threads.hold()
        log_ins = [asyncio.create_task(log_in(client, owner)) for _ in range(many)]
        await until(lambda: threads.waiting == many)
        assert (await client.get("/health")).status_code == 200
        await owner.universe()
        threads.release()
        assert [answer.status_code for answer in await asyncio.gather(*log_ins)] == [200] * many

    async def test_a_password_that_changes_while_it_is_checked(
        self, client: httpx2.AsyncClient, owner: Person, threads: Threads, database: asyncpg.Connection
    ) -> None:
        """No log-in with the old password outlives the change that ended all of them."""
        threads.hold()
        logging_in = asyncio.create_task(log_in(client, owner))
        await until(lambda: threads.waiting)
        query = "UPDATE account SET hashed_password = hashed_password || 'x' WHERE id = $1"
        await database.execute(query, UUID(owner.id))
        await database.execute("DELETE FROM auth_session WHERE user_id = $1", UUID(owner.id))
        threads.release()
        assert (await logging_in).status_code == 400
        count = "SELECT count(*) FROM auth_session WHERE user_id = $1"
        assert await database.fetchval(count, UUID(owner.id)) == 0

    async def test_an_account_that_is_deactivated_while_its_password_is_checked(
        self, client: httpx2.AsyncClient, owner: Person, threads: Threads, database: asyncpg.Connection
    ) -> None:
        threads.hold()
        logging_in = asyncio.create_task(log_in(client, owner))
        await until(lambda: threads.waiting)
        await database.execute("UPDATE account SET is_active = false WHERE id = $1", UUID(owner.id))
        threads.release()
        assert (await logging_in).status_code == 400

    async def test_the_one_used_longest_ago_makes_room(
        self, client: httpx2.AsyncClient, owner: Person, database: asyncpg.Connection
    ) -> None:
        first = owner.tokens
        second = (await log_in(client, owner)).json()
        first = (await refresh(client, first["refresh_token"])).json()
        await database.execute(
            "INSERT INTO auth_session SELECT gen_random_uuid(), user_id, refresh_hash, '', '', now(), "
            "now() + interval '1 minute', expires_at FROM auth_session, generate_series(1, $2) WHERE id = $1",
            UUID(session_of(second["access_token"])),
            MAX_SESSIONS - 2,
        )
        third = (await log_in(client, owner)).json()
        assert not await knows(client, second["access_token"])
        assert await knows(client, first["access_token"])
        sessions = await client.get("/auth/sessions", headers={"authorization": f"Bearer {third['access_token']}"})
        assert len(sessions.json()["items"]) == MAX_SESSIONS


class TestAccessToken:
    """Invalid bearer tokens."""

    async def refused(self, client: httpx2.AsyncClient, token: str) -> None:
        for path in ("/users/me", "/users/me?plain=1", "/universes", "/auth/sessions"):
            answer = await client.get(path, headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["code"] == "UNAUTHORIZED"
        cookie = await client.get("/users/me", headers={"cookie": f"{COOKIE}={token}"})
        assert cookie.status_code == 401

    def claims(self, person: Person, **changes: Any) -> dict[str, Any]:
        claims = jwt.decode(person.tokens["access_token"], options={"verify_signature": False})
        return {**claims, **changes}

    def key(self, settings: Settings) -> str:
        return derive_key(settings.secret(), "access")

    async def test_the_test_can_make_a_good_one(
        self, client: httpx2.AsyncClient, owner: Person, settings: Settings
    ) -> None:
        assert await knows(client, jwt.encode(self.claims(owner), self.key(settings), "HS256"))

    async def test_alg_none(self, client: httpx2.AsyncClient, owner: Person) -> None:
        """A token with alg none is refused."""
        header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
        body = owner.tokens["access_token"].split(".")[1]
        await self.refused(client, f"{header}.{body}.")

    async def test_wrong_audience(self, client: httpx2.AsyncClient, owner: Person, settings: Settings) -> None:
        """A token for another audience is refused."""
        for audience in ("fastapi-users:auth", "fastapi-users:reset", "worldkeep", ["worldkeep"], ""):
            token = jwt.encode(self.claims(owner, aud=audience), self.key(settings), "HS256")
            await self.refused(client, token)

    async def test_expired(self, client: httpx2.AsyncClient, owner: Person, settings: Settings) -> None:
        """An expired token is refused."""
        claims = self.claims(owner, exp=int(time.time()) - 1)
        await self.refused(client, jwt.encode(claims, self.key(settings), "HS256"))

    async def test_another_key(self, client: httpx2.AsyncClient, owner: Person, settings: Settings) -> None:
        for key in (settings.secret(), "x" * 64, derive_key(settings.secret(), "reset")):
            await self.refused(client, jwt.encode(self.claims(owner), key, "HS256"))

    async def test_deactivated_user(
        self, client: httpx2.AsyncClient, owner: Person, database: asyncpg.Connection
    ) -> None:
        """A token of a deactivated user is refused, and their refresh token too."""
        await database.execute("UPDATE account SET is_active = false WHERE id = $1", UUID(owner.id))
        await self.refused(client, owner.tokens["access_token"])
        assert (await refresh(client, owner.tokens["refresh_token"])).status_code == 401

    async def test_reset_and_verify_tokens(
        self, client: httpx2.AsyncClient, owner: Person, mails: Mails, app: FastAPI, settings: Settings
    ) -> None:
        """Tokens from mails are not accepted as bearer tokens."""
        await client.post("/auth/forgot-password", json={"email": owner.email})
        [reset] = await mails(owner.email, "Set a new password")
        [welcome] = await mails(owner.email, "Welcome to Worldkeep")
        await self.refused(client, token_in(reset))
        await self.refused(client, token_in(welcome))
        # Nor would they be with the right claims: each kind has a key of its own.
        for purpose in ("reset", "verify", "refresh"):
            key = derive_key(settings.secret(), purpose)
            await self.refused(client, jwt.encode(self.claims(owner, aud=ACCESS_AUDIENCE), key, "HS256"))

    async def test_a_refresh_token(self, client: httpx2.AsyncClient, owner: Person) -> None:
        """A refresh token is not accepted as a bearer token, and not spent by the attempt."""
        await self.refused(client, owner.tokens["refresh_token"])
        assert (await refresh(client, owner.tokens["refresh_token"])).status_code == 200

    async def test_a_session_of_another_user(
        self, client: httpx2.AsyncClient, owner: Person, stranger: Person, settings: Settings
    ) -> None:
        claims = self.claims(owner, sid=session_of(stranger.tokens["access_token"]))
        await self.refused(client, jwt.encode(claims, self.key(settings), "HS256"))

    async def test_an_expired_session(
        self, client: httpx2.AsyncClient, owner: Person, database: asyncpg.Connection
    ) -> None:
        session = UUID(session_of(owner.tokens["access_token"]))
        await database.execute("UPDATE auth_session SET expires_at = now() WHERE id = $1", session)
        await self.refused(client, owner.tokens["access_token"])
        assert (await refresh(client, owner.tokens["refresh_token"])).status_code == 401

    async def test_a_deleted_user(
        self, client: httpx2.AsyncClient, owner: Person, database: asyncpg.Connection
    ) -> None:
        await database.execute("DELETE FROM account WHERE id = $1", UUID(owner.id))
        await self.refused(client, owner.tokens["access_token"])
        assert (await refresh(client, owner.tokens["refresh_token"])).status_code == 401


class TestRefresh:
    async def test_gives_a_new_pair_of_the_same_session(self, client: httpx2.AsyncClient, owner: Person) -> None:
        answer = await refresh(client, owner.tokens["refresh_token"])
        assert answer.status_code == 200
        pair = answer.json()
        assert pair["refresh_token"] != owner.tokens["refresh_token"]
        assert session_of(pair["access_token"]) == session_of(owner.tokens["access_token"])
        assert await knows(client, pair["access_token"])
        assert (await refresh(client, pair["refresh_token"])).status_code == 200

    async def test_moves_the_end_of_the_session(
        self, client: httpx2.AsyncClient, owner: Person, database: asyncpg.Connection
    ) -> None:
        session = UUID(session_of(owner.tokens["access_token"]))
        soon = "UPDATE auth_session SET expires_at = now() + interval '1 minute' WHERE id = $1"
        await database.execute(soon, session)
        await refresh(client, owner.tokens["refresh_token"])
        days = "SELECT extract(day FROM expires_at - now()) FROM auth_session WHERE id = $1"
        assert await database.fetchval(days, session) == 29

    async def test_a_spent_token_ends_the_session(
        self, client: httpx2.AsyncClient, owner: Person, database: asyncpg.Connection
    ) -> None:
        """The response is a 401, but the end of the session is committed."""
        pair = (await refresh(client, owner.tokens["refresh_token"])).json()
        pair = (await refresh(client, pair["refresh_token"])).json()
        answer = await refresh(client, owner.tokens["refresh_token"])
        assert answer.status_code == 401
        assert answer.json()["code"] == "REFRESH_TOKEN_REUSED"
        count = "SELECT count(*) FROM auth_session WHERE id = $1"
        assert await database.fetchval(count, UUID(session_of(pair["access_token"]))) == 0
        assert not await knows(client, pair["access_token"])
        assert (await refresh(client, pair["refresh_token"])).status_code == 401

    async def later(self, database: asyncpg.Connection, person: Person, seconds: float) -> None:
        """Let time pass since the last refresh."""
        query = "UPDATE auth_session SET last_used_at = last_used_at - make_interval(secs => $2) WHERE id = $1"
        await database.execute(query, UUID(session_of(person.tokens["access_token"])), seconds)

    async def test_a_spent_token_ends_no_other_session(
        self, client: httpx2.AsyncClient, owner: Person, database: asyncpg.Connection
    ) -> None:
        other = (await log_in(client, owner)).json()
        await refresh(client, owner.tokens["refresh_token"])
        await self.later(database, owner, 11)
        assert (await refresh(client, owner.tokens["refresh_token"])).status_code == 401
        assert await knows(client, other["access_token"])

    async def test_two_at_once_with_one_token(self, client: httpx2.AsyncClient, owner: Person) -> None:
        """Two tabs of a browser refresh at once: both get the same pair, and live on."""
        answers = await asyncio.gather(*(refresh(client, owner.tokens["refresh_token"]) for _ in range(4)))
        assert [answer.status_code for answer in answers] == [200] * 4
        pairs = [answer.json() for answer in answers]
        assert len({(pair["access_token"], pair["refresh_token"]) for pair in pairs}) == 1
        assert await knows(client, pairs[0]["access_token"])
        assert (await refresh(client, pairs[1]["refresh_token"])).status_code == 200

    async def test_within_the_grace_the_pair_is_the_same(
        self, client: httpx2.AsyncClient, owner: Person, database: asyncpg.Connection
    ) -> None:
        first = (await refresh(client, owner.tokens["refresh_token"])).json()
        await self.later(database, owner, 8)
        again = (await refresh(client, owner.tokens["refresh_token"])).json()
        assert again["refresh_token"] == first["refresh_token"]
        claims = jwt.decode(again["access_token"], options={"verify_signature": False})
        assert 885 <= again["expires_in"] <= 892
        assert abs(claims["exp"] - time.time() - again["expires_in"]) < 5

    async def test_a_stolen_token_that_is_used_later(
        self, client: httpx2.AsyncClient, owner: Person, database: asyncpg.Connection
    ) -> None:
        """After the grace period, the reuse of a spent token ends the session."""
        pair = (await refresh(client, owner.tokens["refresh_token"])).json()
        await self.later(database, owner, 10.5)
        stolen = await refresh(client, owner.tokens["refresh_token"])
        assert (stolen.status_code, stolen.json()["code"]) == (401, "REFRESH_TOKEN_REUSED")
        assert not await knows(client, pair["access_token"])
        assert (await refresh(client, pair["refresh_token"])).status_code == 401

    async def test_a_token_stolen_and_used_within_the_grace(
        self, client: httpx2.AsyncClient, owner: Person, database: asyncpg.Connection
    ) -> None:
        """Thief and owner have the same pair then: the one who spends it second, later, ends the session."""
        mine = (await refresh(client, owner.tokens["refresh_token"])).json()
        theirs = (await refresh(client, owner.tokens["refresh_token"])).json()
        assert (await refresh(client, theirs["refresh_token"])).status_code == 200
        await self.later(database, owner, 11)
        assert (await refresh(client, mine["refresh_token"])).status_code == 401
        assert not await knows(client, theirs["access_token"])

    async def test_a_forged_token_for_a_known_session_ends_nothing(
        self, client: httpx2.AsyncClient, owner: Person
    ) -> None:
        session = UUID(session_of(owner.tokens["access_token"]))
        genuine = base64.urlsafe_b64decode(owner.tokens["refresh_token"])
        for forged in (session.bytes + bytes(32), session.bytes + bytes(64), genuine[:-1] + b"\0", genuine[:48]):
            answer = await refresh(client, base64.urlsafe_b64encode(forged).decode())
            assert answer.status_code == 401
            assert answer.json()["code"] == "UNAUTHORIZED"
        assert await knows(client, owner.tokens["access_token"])

    @pytest.mark.parametrize("token", ["", "x", "ü" * 20, "=" * 64, "A" * 64, "A" * 108, "../../etc/passwd"])
    async def test_what_is_no_token(self, client: httpx2.AsyncClient, token: str) -> None:
        assert (await refresh(client, token)).status_code == 401

    async def test_an_access_token(self, client: httpx2.AsyncClient, owner: Person) -> None:
        assert (await refresh(client, owner.tokens["access_token"])).status_code in (401, 422)

    async def test_after_log_out(self, client: httpx2.AsyncClient, owner: Person) -> None:
        assert (await owner.client.post("/auth/jwt/logout")).status_code == 204
        answer = await refresh(client, owner.tokens["refresh_token"])
        assert answer.status_code == 401
        assert answer.json()["code"] == "UNAUTHORIZED"

    @pytest.mark.parametrize("body", [{}, {"refresh_token": None}, {"refresh_token": "x" * 201}, []])
    async def test_bad_bodies(self, client: httpx2.AsyncClient, body: Any) -> None:
        assert (await client.post("/auth/jwt/refresh", json=body)).status_code == 422

    async def test_secrets_stand_nowhere_in_the_database(
        self, client: httpx2.AsyncClient, new_person: NewPerson, database: asyncpg.Connection
    ) -> None:
        person = await new_person(password="a secret that nobody keeps")
        pair = (await refresh(client, person.tokens["refresh_token"])).json()
        await client.post("/auth/forgot-password", json={"email": person.email})
        tables = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        kept = ""
        for (table,) in tables:
            kept += "".join(row[0] for row in await database.fetch(f"SELECT t::text FROM {table} t"))
        assert person.email in kept
        for secret in (
            person.password,
            pair["access_token"],
            pair["refresh_token"],
            person.tokens["refresh_token"],
        ):
            assert secret not in kept
        assert base64.urlsafe_b64decode(pair["refresh_token"])[16:48].hex() not in kept


class TestLogOut:
    async def test_anonymous(self, client: httpx2.AsyncClient) -> None:
        assert (await client.post("/auth/jwt/logout")).status_code == 401
        assert (await client.post("/auth/cookie/logout")).status_code == 401

    async def test_ends_the_access_token_at_once(self, client: httpx2.AsyncClient, owner: Person) -> None:
        """After log-out the old token is refused."""
        assert await knows(client, owner.tokens["access_token"])
        assert (await owner.client.post("/auth/jwt/logout")).status_code == 204
        assert not await knows(client, owner.tokens["access_token"])
        assert (await owner.client.post("/auth/jwt/logout")).status_code == 401

    async def test_ends_no_other_session(self, client: httpx2.AsyncClient, owner: Person) -> None:
        other = (await log_in(client, owner)).json()
        await owner.client.post("/auth/jwt/logout")
        assert await knows(client, other["access_token"])


class TestSessions:
    async def test_anonymous(self, client: httpx2.AsyncClient) -> None:
        assert (await client.get("/auth/sessions")).status_code == 401
        assert (await client.delete("/auth/sessions/01a1fbbf-0000-7000-8000-000000000000")).status_code == 401

    async def test_list(self, app: FastAPI, owner: Person, stranger: Person) -> None:
        transport = httpx2.ASGITransport(app=app, client=("203.0.113.9", 40_000))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as phone:
            tokens = (
                await phone.post(
                    "/auth/jwt/login",
                    data={"username": owner.email, "password": PASSWORD},
                    headers={"user-agent": "Phone \x1b[31m" + "x" * 300},
                )
            ).json()
        answer = await owner.client.get("/auth/sessions")
        assert answer.status_code == 200
        newest, oldest = answer.json()["items"]
        fields = {"id", "user_agent", "ip_address", "current", "created_at", "last_used_at", "expires_at"}
        assert set(newest) == set(oldest) == fields
        assert newest["id"] == session_of(tokens["access_token"])
        assert (newest["ip_address"], newest["current"], oldest["current"]) == ("203.0.113.9", False, True)
        assert newest["user_agent"].startswith("Phone ")
        assert len(newest["user_agent"]) == 200
        assert oldest["id"] == session_of(owner.tokens["access_token"])

    async def test_end_one(self, client: httpx2.AsyncClient, owner: Person) -> None:
        other = (await log_in(client, owner)).json()
        path = f"/auth/sessions/{session_of(other['access_token'])}"
        assert (await owner.client.delete(path)).status_code == 204
        assert not await knows(client, other["access_token"])
        assert (await refresh(client, other["refresh_token"])).status_code == 401
        assert await knows(client, owner.tokens["access_token"])
        assert (await owner.client.delete(path)).status_code == 404

    async def test_end_this_one(self, client: httpx2.AsyncClient, owner: Person) -> None:
        path = f"/auth/sessions/{session_of(owner.tokens['access_token'])}"
        assert (await owner.client.delete(path)).status_code == 204
        assert not await knows(client, owner.tokens["access_token"])

    async def test_those_of_others_are_a_404(
        self, client: httpx2.AsyncClient, owner: Person, stranger: Person
    ) -> None:
        theirs = await stranger.client.delete(f"/auth/sessions/{session_of(owner.tokens['access_token'])}")
        nothing = await stranger.client.delete("/auth/sessions/01a1fbbf-0000-7000-8000-000000000000")
        no_id = await stranger.client.delete("/auth/sessions/1%27%20OR%201=1")
        assert theirs.status_code == nothing.status_code == no_id.status_code == 404
        assert {**theirs.json(), "request_id": ""} == {**nothing.json(), "request_id": ""}
        assert await knows(client, owner.tokens["access_token"])


async def cookie_of(client: httpx2.AsyncClient, person: Person, **headers: str) -> httpx2.Response:
    form = {"username": person.email, "password": PASSWORD}
    return await client.post("/auth/cookie/login", data=form, headers={"sec-fetch-site": "same-origin", **headers})


class TestCookie:
    async def test_log_in_and_out(self, client: httpx2.AsyncClient, owner: Person) -> None:
        answer = await cookie_of(client, owner)
        assert answer.status_code == 204
        assert answer.content == b""
        value = answer.cookies[COOKIE]
        assert (await client.get("/users/me")).json()["email"] == owner.email
        assert (await client.get("/users/me?plain=1")).json()["email"] == owner.email
        out = await client.post("/auth/cookie/logout", headers={"sec-fetch-site": "same-origin"})
        assert out.status_code == 204
        assert COOKIE not in client.cookies
        # Not only forgotten by the browser: ended.
        assert (await client.get("/users/me", headers={"cookie": f"{COOKIE}={value}"})).status_code == 401

    async def test_attributes(self, client: httpx2.AsyncClient, owner: Person) -> None:
        cookie = (await cookie_of(client, owner)).headers["set-cookie"]
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert attributes == {"httponly", "samesite=strict", "path=/", f"max-age={30 * 86_400}"}

    async def test_attributes_in_production(self, owner: Person, another_app: AnotherApp) -> None:
        app = await another_app(environment="production")
        async with new_client(app) as client:
            cookie = (await cookie_of(client, owner)).headers["set-cookie"]
            assert "; Secure" in cookie
            assert "; HttpOnly" in cookie
            assert "samesite=strict" in cookie.lower()
            value = cookie.partition(";")[0]
            out = await client.post("/auth/cookie/logout", headers={"cookie": value})
            assert out.status_code == 204
            assert "; Secure" in out.headers["set-cookie"]

    async def test_each_log_in_is_a_new_session(self, client: httpx2.AsyncClient, owner: Person) -> None:
        """A log-in replaces a cookie that was planted before (session fixation)."""
        first = (await cookie_of(client, owner)).cookies[COOKIE]
        second = (await cookie_of(client, owner)).cookies[COOKIE]
        assert session_of(first) != session_of(second)

    async def test_wrong_password(self, client: httpx2.AsyncClient, owner: Person) -> None:
        form = {"username": owner.email, "password": WRONG}
        answer = await client.post("/auth/cookie/login", data=form)
        assert answer.status_code == 400
        assert "set-cookie" not in answer.headers

    async def test_the_header_beats_the_cookie(
        self, client: httpx2.AsyncClient, owner: Person, stranger: Person
    ) -> None:
        await cookie_of(client, owner)
        bearer = {"authorization": f"Bearer {stranger.tokens['access_token']}"}
        assert (await client.get("/users/me", headers=bearer)).json()["id"] == stranger.id
        assert (await client.get("/users/me", headers={"authorization": "Bearer x"})).status_code == 401

    async def test_cross_site_writes_are_refused(
        self, app: FastAPI, client: httpx2.AsyncClient, owner: Person
    ) -> None:
        await cookie_of(client, owner)
        foreign = [
            {"origin": "https://evil.example"},
            {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"origin": "null"},
            {"origin": "http://["},
            {"origin": "http://localhost.evil.example"},
            {"origin": "http://localhost@evil.example"},
            {"origin": "http://localhost:1"},
            {"origin": "localhost"},
            {"origin": "", "sec-fetch-site": "cross-site"},
        ]
        writes = [
            ("POST", "/universes", {"name": "Planted"}),
            ("PATCH", "/users/me", {"display_name": "Planted"}),
            ("POST", "/auth/cookie/logout", None),
            ("POST", "/auth/jwt/logout", None),
            ("DELETE", f"/auth/sessions/{session_of(client.cookies[COOKIE])}", None),
        ]
        for headers in foreign:
            for method, path, body in writes:
                answer = await client.request(method, path, json=body, headers=headers)
                assert answer.status_code == 403, (method, path, headers)
                assert answer.json()["code"] == "CROSS_SITE_REQUEST"
            async with new_client(app) as clean:
                form = {"username": owner.email, "password": PASSWORD}
                refused = await clean.post("/auth/cookie/login", data=form, headers=headers)
                assert refused.status_code == 403
                assert "set-cookie" not in refused.headers
            # Reading is harmless: the other site does not get to see the response.
            assert (await client.get("/users/me", headers=headers)).json()["display_name"] == "Owner"
        assert (await client.get("/universes")).json()["items"] == []

    async def test_writes_from_here(self, client: httpx2.AsyncClient, owner: Person) -> None:
        await cookie_of(client, owner)
        ours = [{}, {"origin": "http://localhost"}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}]
        for headers in ours:
            answer = await client.post("/universes", json={"name": "Mine"}, headers=headers)
            assert answer.status_code == 201, headers

    async def test_an_origin_that_is_allowed(self, owner: Person, another_app: AnotherApp) -> None:
        app = await another_app(cors_origins=["https://game.example"])
        async with new_client(app) as client:
            await cookie_of(client, owner)
            headers = {"origin": "https://game.example", "sec-fetch-site": "cross-site"}
            answer = await client.post("/universes", json={"name": "Mine"}, headers=headers)
            assert answer.status_code == 201
            headers["origin"] = "https://evil.example"
            assert (await client.post("/universes", json={"name": "A"}, headers=headers)).status_code == 403

    async def test_any_origin_is_not_every_origin(self, owner: Person, another_app: AnotherApp) -> None:
        app = await another_app(cors_origins=["*"])
        async with new_client(app) as client:
            await cookie_of(client, owner)
            headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
            assert (await client.post("/universes", json={"name": "A"}, headers=headers)).status_code == 403

    async def test_a_bearer_token_needs_no_origin(self, owner: Person) -> None:
        headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
        answer = await owner.client.post("/universes", json={"name": "By a web game"}, headers=headers)
        assert answer.status_code == 201


class TestLimits:
    """The limits of failed log-ins per address and client, and per client."""

    @pytest.fixture
    async def limited(self, another_app: AnotherApp) -> FastAPI:
        return await another_app(limit_login=Rate(3, 60))

    def client(self, app: FastAPI, address: str) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(app=app, client=(address, 40_000))
        return httpx2.AsyncClient(transport=transport, base_url="http://localhost")

    async def test_failures_are_counted_and_successes_are_not(self, limited: FastAPI, owner: Person) -> None:
        async with self.client(limited, "198.51.100.1") as client:
            for password, status in [(PASSWORD, 200)] * 6 + [(WRONG, 400)] * 3 + [(WRONG, 429), (PASSWORD, 429)]:
                answer = await log_in(client, owner, password=password)
                assert answer.status_code == status
            assert 1 <= int(answer.headers["retry-after"]) <= 60
            assert answer.json()["code"] == "RATE_LIMITED"
        async with self.client(limited, "198.51.100.2") as elsewhere:
            assert (await log_in(elsewhere, owner)).status_code == 200

    async def test_spellings_of_an_address_are_counted_together(self, limited: FastAPI, owner: Person) -> None:
        async with self.client(limited, "198.51.100.3") as client:
            spellings = [owner.email, owner.email.upper(), f" {owner.email}", f"Owner <{owner.email}>"]
            answers = [await log_in(client, owner, username=one, password=WRONG) for one in spellings]
        assert [answer.status_code for answer in answers] == [400, 400, 400, 429]

    async def test_many_addresses_of_one_client(self, limited: FastAPI, database: asyncpg.Connection) -> None:
        async with self.client(limited, "198.51.100.4") as client:
            answers = [
                await client.post("/auth/jwt/login", data={"username": f"{number}@example.com", "password": WRONG})
                for number in range(35)
            ]
        assert [answer.status_code for answer in answers] == [400] * 30 + [429] * 5
        # Who is refused makes no more rows.
        count = "SELECT count(*) FROM rate_limit WHERE key LIKE 'login:198.51.100.4%'"
        assert await database.fetchval(count) == 31

    async def test_unknown_addresses_are_limited_alike(self, limited: FastAPI) -> None:
        async with self.client(limited, "198.51.100.5") as client:
            form = {"username": "nobody@example.com", "password": WRONG}
            answers = [await client.post("/auth/cookie/login", data=form) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [400, 400, 400, 429]

    async def test_a_network_of_version_6_is_one_client(self, limited: FastAPI, owner: Person) -> None:
        statuses = []
        for number in range(4):
            async with self.client(limited, f"2001:db8:1:2::{number + 1:x}") as client:
                statuses.append((await log_in(client, owner, password=WRONG)).status_code)
        async with self.client(limited, "2001:db8:1:3::1") as client:
            statuses.append((await log_in(client, owner, password=WRONG)).status_code)
        assert statuses == [400, 400, 400, 429, 400]

    async def test_a_site_of_version_6_is_one_client_with_twice_the_rate(
        self, limited: FastAPI, owner: Person
    ) -> None:
        """A /56 has 256 networks, and not 256 budgets."""
        statuses = []
        for number in range(8):
            async with self.client(limited, f"2001:db8:2:{number:x}::1") as client:
                statuses.append((await log_in(client, owner, password=WRONG)).status_code)
        async with self.client(limited, "2001:db8:2:100::1") as client:
            statuses.append((await log_in(client, owner, password=WRONG)).status_code)
        assert statuses == [400] * 6 + [429] * 2 + [400]

    async def test_addresses_of_version_4_in_those_of_6_are_clients_of_their_own(
        self, limited: FastAPI, owner: Person
    ) -> None:
        statuses = []
        for address in ["::ffff:198.51.100.6"] * 3 + ["198.51.100.6", "::ffff:198.51.100.7"]:
            async with self.client(limited, address) as client:
                statuses.append((await log_in(client, owner, password=WRONG)).status_code)
        assert statuses == [400, 400, 400, 429, 400]

    @pytest.mark.parametrize("address", ["", "unix socket", "fe80::1%eth0", "x" * 300])
    async def test_strange_clients(self, limited: FastAPI, owner: Person, address: str) -> None:
        async with self.client(limited, address) as client:
            assert (await log_in(client, owner)).status_code == 200

    async def test_guesses_of_the_current_password(self, limited: FastAPI, owner: Person) -> None:
        """The password cannot be guessed with a stolen token."""
        async with self.client(limited, "198.51.100.8") as client:
            client.headers["authorization"] = owner.client.headers["authorization"]
            body = {"password": "a new password", "current_password": WRONG}
            answers = [await client.patch("/users/me", json=body) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [422, 422, 422, 429]
        assert "retry-after" in answers[-1].headers
