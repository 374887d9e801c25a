"""Accounts over HTTP: the caller's own and, for superusers, all."""

import asyncio
from collections.abc import Awaitable, Callable
from operator import itemgetter
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from game.core.limits import Rate
from game.core.settings import Settings
from tests.accounts.conftest import (
    Mails,
    Threads,
    knows,
    lets_in,
    log_in,
    new_address,
    refresh,
    token_in,
    until,
    waits_for_a_lock,
)
from tests.conftest import PASSWORD, Person, new_client

NewPerson = Callable[..., Awaitable[Person]]
AnotherApp = Callable[..., Awaitable[FastAPI]]
NOBODY = "01a1fbbf-0000-7000-8000-000000000000"
FOREIGN = ("is_superuser", "is_active", "is_verified", "id", "owner_id", "version", "role", "hashed_password")
CONFIRM = "Confirm your new address"
NEW = {"password": "a new password", "current_password": PASSWORD}


class TestReadMe:
    async def test_anonymous(self, client: httpx2.AsyncClient) -> None:
        assert (await client.get("/users/me")).status_code == 401

    async def test_valid(self, owner: Person) -> None:
        answer = await owner.client.get("/users/me")
        assert answer.status_code == 200
        assert (answer.json()["id"], answer.json()["email"]) == (owner.id, owner.email)
        assert answer.headers["etag"] == '"1"'
        assert answer.headers["cache-control"] == "no-store"

    async def test_not_modified(self, owner: Person) -> None:
        for path in ("/users/me", "/users/me?plain=1"):
            answer = await owner.client.get(path, headers={"if-none-match": '"1"'})
            assert (answer.status_code, answer.content) == (304, b"")
            assert (await owner.client.get(path, headers={"if-none-match": '"2"'})).status_code == 200

    @pytest.mark.parametrize("name", ['"quotes" and \\', "Zoë 🐉", "</script>", "{}"])
    async def test_the_fast_way_and_the_plain_way_agree(self, new_person: NewPerson, name: str) -> None:
        person = await new_person(display_name=name)
        hot, plain = [await person.client.get(path) for path in ("/users/me", "/users/me?plain=1")]
        assert hot.json() == plain.json()
        assert hot.json()["display_name"] == name
        assert hot.headers["etag"] == plain.headers["etag"]


class TestUpdateMe:
    async def test_anonymous(self, client: httpx2.AsyncClient) -> None:
        assert (await client.patch("/users/me", json={"display_name": "A"})).status_code == 401

    async def test_name(self, owner: Person) -> None:
        answer = await owner.client.patch("/users/me", json={"display_name": " Mira of the Marsh "})
        assert answer.status_code == 200
        assert (answer.json()["display_name"], answer.json()["version"]) == ("Mira of the Marsh", 2)
        assert answer.headers["etag"] == '"2"'
        assert (await owner.client.get("/users/me")).json() == answer.json()

    async def test_the_same_values_are_no_change(self, owner: Person) -> None:
        for body in ({}, {"display_name": "Owner"}, {"email": owner.email}):
            assert (await owner.client.patch("/users/me", json=body)).json()["version"] == 1

    async def test_bad_bodies(self, owner: Person) -> None:
        """`email: null` is refused, as every other value that is none."""
        bodies: list[Any] = [
            *({"email": None}, {"display_name": None}, {"password": None}, {"email": ""}, {"display_name": " "}),
            *({"email": "x" * 300 + "@example.com"}, {"display_name": "x" * 101}, {"display_name": "a\0b"}),
            *([], "x", 1, None, {"password": "7 chars", "current_password": PASSWORD}),
            *({"password": "x" * 129, "current_password": PASSWORD}, {**NEW, "current_password": None}),
        ]
        before = (await owner.client.get("/users/me")).json()
        for body in bodies:
            assert (await owner.client.patch("/users/me", json=body)).status_code == 422, body
        assert (await owner.client.get("/users/me")).json() == before

    async def test_fields_that_are_not_the_clients(self, owner: Person) -> None:
        """`is_superuser`, `id`, `owner_id`, `version` and `role` are refused, and nothing is changed."""
        before = (await owner.client.get("/users/me")).json()
        for field in FOREIGN:
            answer = await owner.client.patch("/users/me", json={"display_name": "Changed", field: True})
            assert answer.status_code == 422, field
        assert (await owner.client.get("/users/me")).json() == before

    async def test_if_match(self, owner: Person) -> None:
        body = {"display_name": "Mira"}
        stale = await owner.client.patch("/users/me", json=body, headers={"if-match": '"7"'})
        assert (stale.status_code, stale.json()["current_version"]) == (412, 1)
        fresh = await owner.client.patch("/users/me", json=body, headers={"if-match": '"1"'})
        assert fresh.status_code == 200

    async def test_parallel_changes_of_different_fields(self, owner: Person) -> None:
        bodies = [{"display_name": f"Mira {number}"} for number in range(2)] + [NEW]
        answers = await asyncio.gather(*(owner.client.patch("/users/me", json=body) for body in bodies))
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        me = (await owner.client.get("/users/me")).json()
        assert me["display_name"] in ("Mira 0", "Mira 1")
        assert me["version"] == 4
        assert await lets_in(owner.client, me["email"], NEW["password"])


class TestChangeAddress:
    """A new address needs the password, is pending until it is confirmed, and the old one is notified."""

    async def ask(self, person: Person, address: str, **fields: Any) -> httpx2.Response:
        body = {"email": address, "current_password": PASSWORD, **fields}
        return await person.client.patch("/users/me", json=body)

    async def token(self, mails: Mails, address: str) -> str:
        return token_in((await mails(address, CONFIRM))[0])

    @pytest.mark.parametrize("current", [None, "wrong password", ""])
    async def test_with_an_access_token_alone(
        self, owner: Person, mails: Mails, settings: Settings, current: str | None
    ) -> None:
        """A stolen access token is not enough to take over the account."""
        address = new_address()
        body = {"email": address} if current is None else {"email": address, "current_password": current}
        answer = await owner.client.patch("/users/me", json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "current_password"
        me = (await owner.client.get("/users/me")).json()
        assert (me["email"], me["pending_email"], me["version"]) == (owner.email, None, 1)
        # A later mail to the same address comes alone.
        await self.ask(owner, address)
        await mails(address, CONFIRM)

    async def test_is_pending_until_it_is_confirmed(
        self, client: httpx2.AsyncClient, owner: Person, mails: Mails
    ) -> None:
        address = new_address()
        answer = await self.ask(owner, address)
        assert answer.status_code == 200
        body = answer.json()
        assert (body["email"], body["pending_email"], body["version"]) == (owner.email, address, 2)
        for path in ("/users/me", "/users/me?plain=1"):
            assert (await owner.client.get(path)).json() == body
        assert await lets_in(client, owner.email, PASSWORD)
        assert not await lets_in(client, address, PASSWORD)
        [notice] = await mails(owner.email, "Your address is to be changed")
        assert address not in notice

        confirmed = await client.post("/auth/verify", json={"token": await self.token(mails, address)})
        assert confirmed.status_code == 200
        me = (await owner.client.get("/users/me")).json()
        assert (me["email"], me["pending_email"], me["is_verified"], me["version"]) == (address, None, True, 3)
        await mails(owner.email, "Your address was changed")
        assert await lets_in(client, address, PASSWORD)
        assert not await lets_in(client, owner.email, PASSWORD)

    async def test_a_token_works_once(self, client: httpx2.AsyncClient, owner: Person, mails: Mails) -> None:
        address = new_address()
        await self.ask(owner, address)
        token = await self.token(mails, address)
        answers = [await client.post("/auth/verify", json={"token": token}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 400]
        assert answers[1].json()["code"] == "VERIFY_USER_ALREADY_VERIFIED"

    async def test_the_mail_links_to_the_page(self, owner: Person, mails: Mails) -> None:
        address = new_address()
        await self.ask(owner, address)
        [text] = await mails(address, CONFIRM)
        assert f" http://localhost/verify-email#token={token_in(text)}\n" in text
        assert "Owner" not in text

    @pytest.mark.parametrize(
        "cancel",
        [
            {"email": "{old}"},
            {"email": "another-{old}", "current_password": PASSWORD},
            {"password": "a new password", "current_password": PASSWORD},
        ],
    )
    async def test_a_token_for_what_is_not_pending_any_more(
        self, client: httpx2.AsyncClient, owner: Person, mails: Mails, cancel: dict[str, str]
    ) -> None:
        """The owner enters the old address, or another one, or sets a new password."""
        address = new_address()
        await self.ask(owner, address)
        body = {name: value.replace("{old}", owner.email) for name, value in cancel.items()}
        assert (await owner.client.patch("/users/me", json=body)).status_code == 200
        answer = await client.post("/auth/verify", json={"token": await self.token(mails, address)})
        assert (answer.status_code, answer.json()["code"]) == (400, "VERIFY_USER_BAD_TOKEN")
        assert (await owner.client.get("/users/me")).json()["email"] == owner.email

    async def test_a_password_and_an_address_at_once(self, owner: Person) -> None:
        address = new_address()
        answer = await self.ask(owner, address, password="a new password")
        assert (answer.status_code, answer.json()["pending_email"]) == (200, address)
        assert await lets_in(owner.client, owner.email, "a new password")

    async def test_another_case_is_the_same_address(self, owner: Person, database: asyncpg.Connection) -> None:
        await database.execute("UPDATE account SET is_verified = true WHERE id = $1", UUID(owner.id))
        written = owner.email.partition("@")[0].upper() + "@example.com"
        answer = await owner.client.patch("/users/me", json={"email": written})
        assert answer.status_code == 200
        assert (answer.json()["email"], answer.json()["is_verified"]) == (written, True)

    async def test_an_address_that_is_taken(self, owner: Person, stranger: Person) -> None:
        answer = await self.ask(owner, stranger.email.upper())
        assert (answer.status_code, answer.json()["code"]) == (400, "REGISTER_USER_ALREADY_EXISTS")
        assert (await owner.client.get("/users/me")).json()["pending_email"] is None

    async def test_two_people_want_one_address(
        self, client: httpx2.AsyncClient, owner: Person, stranger: Person, mails: Mails
    ) -> None:
        """It is pending for both, and goes to one."""
        address = new_address()
        for person in (owner, stranger):
            assert (await self.ask(person, address)).status_code == 200
        tokens = [token_in(text) for text in await mails(address, CONFIRM, 2)]
        answers = await asyncio.gather(*(client.post("/auth/verify", json={"token": one}) for one in tokens))
        assert sorted(answer.status_code for answer in answers) == [200, 400]
        codes = [answer.json().get("code") for answer in answers]
        assert "REGISTER_USER_ALREADY_EXISTS" in codes

    async def test_limit(self, owner: Person, another_app: AnotherApp) -> None:
        """Neither to fill a mailbox, nor to find out which addresses have accounts."""
        app = await another_app(limit_mail=Rate(3, 3600))
        async with new_client(app, "198.51.100.60", headers=dict(owner.client.headers)) as client:
            body = {"current_password": PASSWORD}
            answers = [await client.patch("/users/me", json={**body, "email": new_address()}) for _ in range(4)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            assert "retry-after" in answers[-1].headers
            assert (await client.patch("/users/me", json={"display_name": "Mira"})).status_code == 200


class TestChangePassword:
    async def test_ends_the_other_sessions_but_not_this_one(
        self, client: httpx2.AsyncClient, owner: Person, mails: Mails
    ) -> None:
        """After a password change the tokens of before are refused."""
        other = (await log_in(client, owner)).json()
        answer = await owner.client.patch("/users/me", json=NEW)
        assert answer.status_code == 200
        assert answer.json()["version"] == 2
        assert "password" not in answer.text
        assert not await knows(client, other["access_token"])
        assert (await refresh(client, other["refresh_token"])).status_code == 401
        assert await knows(client, owner.tokens["access_token"])
        assert (await refresh(client, owner.tokens["refresh_token"])).status_code == 200
        assert await lets_in(client, owner.email, NEW["password"])
        assert not await lets_in(client, owner.email, PASSWORD)
        await mails(owner.email, "Your password was changed")

    @pytest.mark.parametrize("current", [None, "", "wrong password", PASSWORD.upper(), PASSWORD[:-1]])
    async def test_needs_the_current_one(
        self, client: httpx2.AsyncClient, owner: Person, current: str | None
    ) -> None:
        other = (await log_in(client, owner)).json()
        body = {"password": NEW["password"], "display_name": "Changed"}
        answer = await owner.client.patch(
            "/users/me", json=body if current is None else {**body, "current_password": current}
        )
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "current_password"
        assert await lets_in(client, owner.email, PASSWORD)
        assert await knows(client, other["access_token"])
        assert (await owner.client.get("/users/me")).json()["display_name"] == "Owner"

    async def test_in_the_hands_of_a_session_that_was_just_ended(
        self, owner: Person, database: asyncpg.Connection
    ) -> None:
        """Who is thrown out while their change waits does not get it through."""
        for body in (NEW, {"email": new_address(), "current_password": PASSWORD}):
            async with database.transaction():
                await database.execute("SELECT FROM account WHERE id = $1 FOR UPDATE", UUID(owner.id))
                changing = asyncio.create_task(owner.client.patch("/users/me", json=body))
                await waits_for_a_lock(database)
                session = await database.fetchrow(
                    "DELETE FROM auth_session WHERE user_id = $1 RETURNING *", UUID(owner.id)
                )
            assert (await changing).status_code == 401
            await database.execute("INSERT INTO auth_session SELECT ($1::auth_session).*", session)
        me = (await owner.client.get("/users/me")).json()
        assert (me["version"], me["email"]) == (1, owner.email)
        assert await lets_in(owner.client, owner.email, PASSWORD)

    async def test_two_at_once(self, client: httpx2.AsyncClient, owner: Person) -> None:
        """The second one no longer has the current password, or no session."""
        other = (await log_in(client, owner)).json()
        bearer = {"authorization": f"Bearer {other['access_token']}"}
        answers = await asyncio.gather(
            owner.client.patch("/users/me", json=NEW),
            client.patch("/users/me", json={**NEW, "password": "quite another"}, headers=bearer),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 401]

    async def test_with_a_refresh_at_once(self, client: httpx2.AsyncClient, owner: Person) -> None:
        """However the two meet, nothing of the other session is left."""
        for round_ in range(4):
            other = (await log_in(client, owner, password=PASSWORD + "!" * round_)).json()
            body = {"password": PASSWORD + "!" * (round_ + 1), "current_password": PASSWORD + "!" * round_}
            changed, refreshed = await asyncio.gather(
                owner.client.patch("/users/me", json=body), refresh(client, other["refresh_token"])
            )
            assert changed.status_code == 200
            assert refreshed.status_code in (200, 401)
            assert not await knows(client, other["access_token"])
            if refreshed.status_code == 200:
                assert not await knows(client, refreshed.json()["access_token"])
                assert (await refresh(client, refreshed.json()["refresh_token"])).status_code == 401

    async def test_hashing_holds_no_connection(
        self, client: httpx2.AsyncClient, owner: Person, stranger: Person, settings: Settings, threads: Threads
    ) -> None:
        """Many who change their passwords at once do not keep others from the database."""
        many = settings.database_pool_size + 4
        threads.hold()
        changes = [asyncio.create_task(owner.client.patch("/users/me", json=NEW)) for _ in range(many)]
        await until(lambda: threads.waiting == many)
        await stranger.universe()
        threads.release()
        answers = await asyncio.gather(*changes)
        assert [answer.status_code for answer in answers].count(200) == 1

    async def test_guesses_with_a_stolen_token_do_not_lock_the_owner_out(
        self, owner: Person, another_app: AnotherApp
    ) -> None:
        app = await another_app(limit_login=Rate(3, 60))
        async with new_client(app, "198.51.100.61") as client:
            other = (await log_in(client, owner)).json()
            thief = {"authorization": f"Bearer {other['access_token']}"}
            guess = {**NEW, "current_password": "a guess"}
            answers = [await client.patch("/users/me", json=guess, headers=thief) for _ in range(4)]
            assert [answer.status_code for answer in answers] == [422, 422, 422, 429]
            mine = dict(owner.client.headers)
            assert (await client.patch("/users/me", json=NEW, headers=mine)).status_code == 200

    async def test_limit_of_mails(self, owner: Person, another_app: AnotherApp) -> None:
        app = await another_app(limit_mail=Rate(2, 3600))
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            client.headers["authorization"] = owner.client.headers["authorization"]
            body = {"password": PASSWORD, "current_password": PASSWORD}
            answers = [await client.patch("/users/me", json=body) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]


class TestListUsers:
    async def test_anonymous_and_plain(self, client: httpx2.AsyncClient, owner: Person) -> None:
        assert (await client.get("/users")).status_code == 401
        answer = await owner.client.get("/users", params={"q": owner.email})
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
        assert owner.email not in answer.text

    async def test_pages(self, superuser: Person, new_person: NewPerson) -> None:
        mark = uuid4().hex[:12]
        people = [await new_person(display_name=f"{name} {mark}") for name in ("Bo", "Al", "Al", "Cy", "Zoë")]
        await people[1].client.patch("/users/me", json={"display_name": f"Al {mark} "})
        await people[1].client.patch("/users/me", json=NEW)
        for field, sort in (("display_name", "name"), ("created_at", "created_at"), ("updated_at", "updated_at")):
            for sign in ("", "-"):
                pages = await self.pages(superuser, q=mark.upper(), sort=sign + sort, limit=2)
                found = [one for page in pages for one in page]
                assert [len(page) for page in pages] == [2, 2, 1]
                assert {one["id"] for one in found} == {person.id for person in people}
                assert found == sorted(found, key=itemgetter(field, "id"), reverse=sign == "-")

    async def pages(self, superuser: Person, **query: Any) -> list[list[dict[str, Any]]]:
        """All pages of a list."""
        pages = []
        while True:
            page = await superuser.client.get("/users", params=query)
            assert page.status_code == 200, page.text
            pages.append(page.json()["items"])
            query["cursor"] = page.json()["next_cursor"]
            if query["cursor"] is None:
                return pages

    async def test_search(self, superuser: Person, new_person: NewPerson) -> None:
        mark = uuid4().hex[:12]
        person = await new_person(email=f"{mark}_100%@example.com", display_name="Somebody")
        for q, count in (
            (mark, 1),
            (mark.upper(), 1),
            ("100%@", 1),
            (f"{mark}%100", 0),
            (f"{mark}-", 0),
            ("'", 0),
        ):
            items = (await superuser.client.get("/users", params={"q": q})).json()["items"]
            assert [one["id"] for one in items if one["id"] == person.id] == [person.id] * count

    @pytest.mark.parametrize(
        "query",
        ["limit=0", "limit=-1", "limit=1e9", "limit=101", "sort=email", "sort=hashed_password", "cursor=x"],
    )
    async def test_bad_parameters(self, superuser: Person, query: str) -> None:
        assert (await superuser.client.get(f"/users?{query}")).status_code == 422

    async def test_null_characters(self, superuser: Person) -> None:
        assert (await superuser.client.get("/users?q=%00")).status_code == 422


class TestReadUser:
    async def test_anonymous_and_plain(self, client: httpx2.AsyncClient, owner: Person, stranger: Person) -> None:
        assert (await client.get(f"/users/{owner.id}")).status_code == 401
        theirs = await stranger.client.get(f"/users/{owner.id}")
        nothing = await stranger.client.get(f"/users/{NOBODY}")
        assert theirs.status_code == nothing.status_code == 403
        assert {**theirs.json(), "request_id": ""} == {**nothing.json(), "request_id": ""}

    async def test_superuser(self, superuser: Person, owner: Person) -> None:
        answer = await superuser.client.get(f"/users/{owner.id}")
        assert answer.status_code == 200
        me = (await owner.client.get("/users/me")).json()
        assert answer.json() == {name: me[name] for name in answer.json()}
        assert answer.headers["etag"] == '"1"'
        again = await superuser.client.get(f"/users/{owner.id}", headers={"if-none-match": '"1"'})
        assert again.status_code == 304

    @pytest.mark.parametrize("id", [NOBODY, "1", "me%00", "99999999999999999999", "%27"])
    async def test_nobody(self, superuser: Person, id: str) -> None:
        assert (await superuser.client.get(f"/users/{id}")).status_code in (404, 422)

    async def test_does_not_wait_for_a_change(
        self, superuser: Person, owner: Person, database: asyncpg.Connection
    ) -> None:
        async with database.transaction():
            await database.execute("SELECT FROM account WHERE id = $1 FOR UPDATE", UUID(owner.id))
            assert (await superuser.client.get(f"/users/{owner.id}")).status_code == 200


class TestUpdateUser:
    async def test_anonymous_and_plain(self, client: httpx2.AsyncClient, owner: Person, stranger: Person) -> None:
        for body in ({"display_name": "Changed"}, {"is_superuser": True}, {}):
            assert (await client.patch(f"/users/{owner.id}", json=body)).status_code == 401
            theirs = await stranger.client.patch(f"/users/{owner.id}", json=body)
            nothing = await stranger.client.patch(f"/users/{NOBODY}", json=body)
            themselves = await stranger.client.patch(f"/users/{stranger.id}", json=body)
            assert theirs.status_code == nothing.status_code == themselves.status_code == 403
            assert {**theirs.json(), "request_id": ""} == {**nothing.json(), "request_id": ""}
        assert (await owner.client.get("/users/me")).json()["version"] == 1

    async def test_fields(self, superuser: Person, owner: Person, mails: Mails) -> None:
        address = new_address()
        body = {"email": address, "display_name": "Mira", "is_verified": True, "is_superuser": True}
        answer = await superuser.client.patch(f"/users/{owner.id}", json=body)
        assert answer.status_code == 200
        assert {**answer.json(), **body} == answer.json()
        assert answer.json()["version"] == 2
        await mails(owner.email, "Your address was changed")
        me = (await owner.client.get("/users/me")).json()
        assert answer.json() == {name: me[name] for name in answer.json()}
        assert (await owner.client.get("/users")).status_code == 200

    async def test_another_address_is_not_verified(
        self, superuser: Person, owner: Person, database: asyncpg.Connection
    ) -> None:
        await database.execute("UPDATE account SET is_verified = true WHERE id = $1", UUID(owner.id))
        answer = await superuser.client.patch(f"/users/{owner.id}", json={"email": new_address()})
        assert answer.json()["is_verified"] is False

    async def test_an_address_that_is_taken(self, superuser: Person, owner: Person, stranger: Person) -> None:
        answer = await superuser.client.patch(f"/users/{owner.id}", json={"email": stranger.email.upper()})
        assert (answer.status_code, answer.json()["code"]) == (400, "REGISTER_USER_ALREADY_EXISTS")

    @pytest.mark.parametrize("body", [{"is_active": False}, {"password": "set for them"}])
    async def test_ends_the_sessions(
        self, client: httpx2.AsyncClient, superuser: Person, owner: Person, body: Any
    ) -> None:
        assert (await superuser.client.patch(f"/users/{owner.id}", json=body)).status_code == 200
        assert not await knows(client, owner.tokens["access_token"])
        assert (await refresh(client, owner.tokens["refresh_token"])).status_code == 401
        assert not await lets_in(client, owner.email, PASSWORD)
        # Not even when they are let in again.
        await superuser.client.patch(f"/users/{owner.id}", json={"is_active": True})
        assert not await knows(client, owner.tokens["access_token"])
        assert await lets_in(client, owner.email, body.get("password", PASSWORD))

    async def test_fields_that_are_not_the_clients(self, superuser: Person, owner: Person) -> None:
        """`id`, `owner_id`, `version` and `role` are refused, from superusers too, and nothing is changed."""
        for field in ("id", "owner_id", "version", "role", "hashed_password", "current_password"):
            body = {"display_name": "Changed", field: True}
            assert (await superuser.client.patch(f"/users/{owner.id}", json=body)).status_code == 422, field
        assert (await owner.client.get("/users/me")).json()["version"] == 1

    async def test_null(self, superuser: Person, owner: Person) -> None:
        for field in ("email", "display_name", "password", "is_active", "is_superuser", "is_verified"):
            answer = await superuser.client.patch(f"/users/{owner.id}", json={field: None})
            assert answer.status_code == 422, field

    async def test_oneself(self, superuser: Person) -> None:
        for body in ({"is_superuser": False}, {"is_active": False}, {"is_superuser": False, "display_name": "x"}):
            answer = await superuser.client.patch(f"/users/{superuser.id}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (409, "CANNOT_CHANGE_SELF")
        me = (await superuser.client.get("/users/me")).json()
        assert (me["is_superuser"], me["is_active"], me["version"]) == (True, True, 1)
        assert (
            await superuser.client.patch(f"/users/{superuser.id}", json={"display_name": "Z"})
        ).status_code == 200

    async def test_if_match(self, superuser: Person, owner: Person) -> None:
        path, body = f"/users/{owner.id}", {"display_name": "Mira"}
        stale = await superuser.client.patch(path, json=body, headers={"if-match": '"2"'})
        assert (stale.status_code, stale.json()["current_version"]) == (412, 1)
        assert stale.headers["etag"] == '"1"'
        assert (await superuser.client.patch(path, json=body, headers={"if-match": '"1"'})).status_code == 200
        assert (await superuser.client.patch(path, json=body, headers={"if-match": "1"})).status_code == 422

    async def test_nobody(self, superuser: Person) -> None:
        assert (await superuser.client.patch(f"/users/{NOBODY}", json={})).status_code == 404

    async def test_rights_end_at_once(self, superuser: Person, new_person: NewPerson) -> None:
        second = await new_person()
        await superuser.client.patch(f"/users/{second.id}", json={"is_superuser": True})
        assert (await second.client.get("/users")).status_code == 200
        await superuser.client.patch(f"/users/{second.id}", json={"is_superuser": False})
        assert (await second.client.get("/users")).status_code == 401
        assert not (await superuser.client.get(f"/users/{second.id}")).json()["is_superuser"]


class TestDeleteUser:
    async def test_anonymous_and_plain(self, client: httpx2.AsyncClient, owner: Person, stranger: Person) -> None:
        assert (await client.delete(f"/users/{owner.id}")).status_code == 401
        assert (await stranger.client.delete(f"/users/{owner.id}")).status_code == 403
        assert (await stranger.client.delete(f"/users/{NOBODY}")).status_code == 403
        assert (await stranger.client.delete(f"/users/{stranger.id}")).status_code == 403
        assert (await owner.client.get("/users/me")).status_code == 200

    async def test_superuser(self, client: httpx2.AsyncClient, superuser: Person, owner: Person) -> None:
        assert (await superuser.client.delete(f"/users/{owner.id}")).status_code == 204
        assert (await superuser.client.get(f"/users/{owner.id}")).status_code == 404
        assert (await superuser.client.delete(f"/users/{owner.id}")).status_code == 404
        assert not await knows(client, owner.tokens["access_token"])
        assert (await refresh(client, owner.tokens["refresh_token"])).status_code == 401
        assert not await lets_in(client, owner.email, PASSWORD)
        again = await client.post("/auth/register", json={"email": owner.email, "password": PASSWORD})
        assert again.status_code == 201

    async def test_an_owner_of_universes(
        self, client: httpx2.AsyncClient, superuser: Person, owner: Person
    ) -> None:
        universe = await owner.universe()
        answer = await superuser.client.delete(f"/users/{owner.id}")
        assert (answer.status_code, answer.json()["code"]) == (409, "USER_OWNS_UNIVERSES")
        assert "fk_" not in answer.text
        assert (await owner.client.get(f"/universes/{universe['id']}")).json() == universe
        assert (await refresh(client, owner.tokens["refresh_token"])).status_code == 200
        await owner.client.delete(f"/universes/{universe['id']}")
        assert (await superuser.client.delete(f"/users/{owner.id}")).status_code == 204

    async def test_oneself(self, superuser: Person) -> None:
        answer = await superuser.client.delete(f"/users/{superuser.id}")
        assert (answer.status_code, answer.json()["code"]) == (409, "CANNOT_CHANGE_SELF")
        assert (await superuser.client.get("/users/me")).status_code == 200

    async def test_if_match(self, superuser: Person, owner: Person) -> None:
        path = f"/users/{owner.id}"
        assert (await superuser.client.delete(path, headers={"if-match": '"2"'})).status_code == 412
        assert (await superuser.client.delete(path, headers={"if-match": '"1"'})).status_code == 204
