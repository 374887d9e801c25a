"""The door of the admin: logging in and out, what ends a session, what other sites may not do."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from game.core.limits import Rate
from game.core.settings import Settings
from game.main import create_app, lifespan
from tests.admin.conftest import Browse
from tests.conftest import PASSWORD, Person, new_client

EVIL = "https://evil.example"
COOKIE = "worldkeep_session"


async def is_in(browser: httpx2.AsyncClient) -> bool:
    """Whether a browser is let in; if not, it is sent to the log-in."""
    answer = await browser.get("/admin/")
    assert answer.status_code in (200, 303)
    return answer.status_code == 200


class TestLogIn:
    async def test_the_page(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/admin/login")
        assert answer.status_code == 200
        assert 'name="password"' in answer.text
        assert answer.headers["cache-control"] == "no-store"

    async def test_the_cookie(self, client: httpx2.AsyncClient, owner: Person) -> None:
        form = {"username": owner.email, "password": owner.password}
        answer = await client.post("/admin/login", data=form)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/admin/"
        words = {word.strip().lower() for word in answer.headers["set-cookie"].split(";")}
        assert {"httponly", "samesite=strict", "path=/"} <= words
        assert "secure" not in words
        assert await is_in(client)

    async def test_it_is_secure_in_production(self, database_url: str, owner: Person) -> None:
        settings = Settings(
            _env_file=None,  # type: ignore[call-arg]  # of pydantic-settings, untyped
            environment="production",
            database_url=SecretStr(database_url),
            secret_key=SecretStr("0123456789abcdef-0123456789abcdef-production"),
            allowed_hosts=["localhost"],
        )
        app = create_app(settings)
        async with lifespan(app), new_client(app) as browser:
            form = {"username": owner.email, "password": owner.password}
            answer = await browser.post("/admin/login", data=form)
            assert "secure" in answer.headers["set-cookie"].lower().replace(" ", "").split(";")

    async def test_wrong(self, client: httpx2.AsyncClient, owner: Person) -> None:
        unknown = f"{uuid4().hex}@example.com"
        pages = []
        for email, password in ((owner.email, "not the password"), (unknown, owner.password), ("", "")):
            answer = await client.post("/admin/login", data={"username": email, "password": password})
            assert answer.status_code == 400
            assert "The e-mail address or the password is wrong." in answer.text
            assert "set-cookie" not in answer.headers
            pages.append(answer.text.replace(email, "") if email else "")
        # The page of a known address is that of an unknown one.
        assert pages[0] == pages[1]

    @pytest.mark.parametrize("name", ["username", "password", "next"])
    async def test_u0000(self, client: httpx2.AsyncClient, name: str) -> None:
        form = {"username": "a@example.com", "password": PASSWORD, name: "a\0b"}
        assert (await client.post("/admin/login", data=form)).status_code == 422

    async def test_a_deactivated_account(
        self, client: httpx2.AsyncClient, owner: Person, superuser: Person
    ) -> None:
        await superuser.client.patch(f"/users/{owner.id}", json={"is_active": False})
        form = {"username": owner.email, "password": owner.password}
        assert (await client.post("/admin/login", data=form)).status_code == 400

    async def test_one_limit_with_the_api(self, settings: Settings, owner: Person) -> None:
        app = create_app(settings.model_copy(update={"limit_login": Rate(2, 3600)}))
        form = {"username": f"{uuid4().hex}@example.com", "password": "wrong, all wrong"}
        # From an address of its own: other tests fail to log in from the usual one.
        async with lifespan(app), new_client(app, "192.0.2.77") as browser:
            assert (await browser.post("/auth/jwt/login", data=form)).status_code == 400
            assert (await browser.post("/admin/login", data=form)).status_code == 400
            answer = await browser.post("/admin/login", data=form)
            assert answer.status_code == 429
            assert int(answer.headers["retry-after"]) > 0
            assert "Too many attempts" in answer.text

    @pytest.mark.parametrize(
        ("wanted", "got"),
        [
            ("/admin/map/list?page=2", "/admin/map/list?page=2"),
            ("https://evil.example/", "/admin/"),
            ("//evil.example/admin/", "/admin/"),
            ("/admin/\\evil", "/admin/"),
            ("/docs", "/admin/"),
            ("/admin/\r\nx: y", "/admin/"),
        ],
    )
    async def test_where_it_leads(self, client: httpx2.AsyncClient, owner: Person, wanted: str, got: str) -> None:
        form = {"username": owner.email, "password": owner.password, "next": wanted}
        assert (await client.post("/admin/login", data=form)).headers["location"] == got

    async def test_the_way_there_and_back(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/admin/map/list?search=a%26b")
        assert answer.headers["location"] == "/admin/login?next=%2Fadmin%2Fmap%2Flist%3Fsearch%3Da%2526b"
        page = await client.get(answer.headers["location"])
        assert 'value="/admin/map/list?search=a%26b"' in page.text

    async def test_without_a_slash(self, client: httpx2.AsyncClient) -> None:
        assert (await client.get("/admin")).headers["location"] == "/admin/"

    async def test_a_bearer_token_is_no_cookie(self, owner: Person) -> None:
        assert not await is_in(owner.client)

    async def test_the_session_is_in_the_list_of_the_api(self, browse: Browse, owner: Person) -> None:
        before = (await owner.client.get("/auth/sessions")).json()["items"]
        await browse(owner)
        assert len((await owner.client.get("/auth/sessions")).json()["items"]) == len(before) + 1

    async def test_the_api_knows_the_cookie(self, browse: Browse, owner: Person) -> None:
        browser = await browse(owner)
        assert (await browser.get("/users/me")).json()["id"] == owner.id


class TestEnd:
    """What ends a log-in, at once."""

    async def test_log_out(self, browse: Browse, owner: Person) -> None:
        browser = await browse(owner)
        cookie = browser.cookies[COOKIE]
        answer = await browser.post("/admin/logout")
        assert answer.status_code == 303
        assert COOKIE not in browser.cookies
        # The cookie is worth nothing any more, wherever it was kept.
        browser.cookies.set(COOKIE, cookie)
        assert not await is_in(browser)
        assert (await browser.get("/users/me")).status_code == 401

    async def test_not_by_get(self, browse: Browse, owner: Person) -> None:
        browser = await browse(owner)
        assert (await browser.get("/admin/logout")).status_code == 405
        assert await is_in(browser)

    async def test_a_new_password(self, browse: Browse, owner: Person) -> None:
        browser = await browse(owner)
        body = {"password": "a better horse battery", "current_password": owner.password}
        assert (await owner.client.patch("/users/me", json=body)).status_code == 200
        assert not await is_in(browser)

    @pytest.mark.parametrize("fields", [{"is_active": False}, {"password": "a better horse battery"}])
    async def test_by_a_superuser(
        self, browse: Browse, owner: Person, superuser: Person, fields: dict[str, Any]
    ) -> None:
        browser = await browse(owner)
        assert (await superuser.client.patch(f"/users/{owner.id}", json=fields)).status_code == 200
        assert not await is_in(browser)

    async def test_demotion(
        self, browse: Browse, superuser: Person, new_person: Callable[..., Any], database: asyncpg.Connection
    ) -> None:
        second = await new_person()
        await superuser.client.patch(f"/users/{second.id}", json={"is_superuser": True})
        browser = await browse(second)
        assert (await browser.get("/admin/user/list")).status_code == 200
        await superuser.client.patch(f"/users/{second.id}", json={"is_superuser": False})
        assert not await is_in(browser)

    async def test_demotion_behind_our_back(
        self, browse: Browse, superuser: Person, database: asyncpg.Connection
    ) -> None:
        browser = await browse(superuser)
        await database.execute("UPDATE account SET is_superuser = false WHERE email = $1", superuser.email)
        assert (await browser.get("/admin/user/list")).status_code == 404

    async def test_by_the_list_of_sessions(self, browse: Browse, owner: Person, superuser: Person) -> None:
        browser = await browse(owner)
        answer = await (await browse(superuser)).post(f"/admin/user/end-sessions/{owner.id}")
        assert answer.status_code == 303
        assert not await is_in(browser)

    @pytest.mark.parametrize("cookie", ["", "x", "a.b.c", "null"])
    async def test_no_cookie_of_ours(self, client: httpx2.AsyncClient, cookie: str) -> None:
        client.cookies.set(COOKIE, cookie)
        assert not await is_in(client)


CROSS_SITE = [
    {"origin": EVIL},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "http://localhost", "sec-fetch-site": "cross-site"},
    {"origin": EVIL, "referer": "http://localhost/admin/"},
]


class TestCrossSite:
    """Another site's page may not act in anybody's name, cookie or not."""

    @pytest.mark.parametrize("headers", CROSS_SITE)
    async def test_writes(self, browse: Browse, owner: Person, headers: dict[str, str]) -> None:
        made = await owner.map()
        browser = await browse(owner)
        for method, path in (
            ("POST", "/admin/universe/create"),
            ("POST", f"/admin/map/edit/{made['id']}"),
            ("DELETE", f"/admin/map/delete?pks={made['id']}"),
            ("POST", f"/admin/map/delete?pks={made['id']}"),
            ("POST", "/admin/user/action/x"),
            ("PUT", "/admin/anything"),
            ("POST", "/admin/logout"),
            ("POST", "/admin/login"),
        ):
            data = {"name": "Theirs", "sure": "yes", "username": owner.email, "password": owner.password}
            answer = await browser.request(method, path, data=data, headers=headers)
            assert answer.status_code == 403, path
        assert (await owner.client.get(f"/maps/{made['id']}")).json() == made
        assert len((await owner.client.get("/universes")).json()["items"]) == 1
        assert await is_in(browser)

    async def test_a_game_that_may_call_the_api_may_not_call_the_admin(
        self, settings: Settings, owner: Person
    ) -> None:
        app = create_app(settings.model_copy(update={"cors_origins": ["https://game.example"]}))
        async with lifespan(app), new_client(app) as browser:
            form = {"username": owner.email, "password": owner.password}
            await browser.post("/admin/login", data=form)
            headers = {"origin": "https://game.example"}
            answer = await browser.post("/admin/universe/create", data={"name": "Theirs"}, headers=headers)
            assert answer.status_code == 403

    @pytest.mark.parametrize(
        "headers",
        [{}, {"origin": "http://localhost"}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}],
    )
    async def test_our_own_pages(self, browse: Browse, owner: Person, headers: dict[str, str]) -> None:
        browser = await browse(owner)
        answer = await browser.post("/admin/universe/create", data={"name": "Mine"}, headers=headers)
        assert answer.status_code == 303


class TestHeaders:
    @pytest.mark.parametrize(
        "path", ["/admin/", "/admin/login", "/admin/nothing", "/admin/statics/css/tabler.min.css"]
    )
    async def test_a_policy_without_inline_and_other_sites(self, client: httpx2.AsyncClient, path: str) -> None:
        answer = await client.get(path)
        policy = answer.headers["content-security-policy"]
        for word in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"):
            assert word in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"

    async def test_a_foreign_host(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/admin/login", headers={"host": "evil.example"})
        assert answer.status_code == 400
        assert "evil.example" not in answer.text

    async def test_nothing_from_elsewhere(self, browse: Browse, owner: Person) -> None:
        made = await owner.map()
        browser = await browse(owner)
        for path in ("/", "/map/list", f"/map/details/{made['id']}", f"/map/edit/{made['id']}"):
            page = (await browser.get(f"/admin{path}")).text
            assert "//" not in page.replace("<!DOCTYPE html>", "")
            assert "<script>" not in page
            assert " style=" not in page

    async def test_the_files_of_the_pages_are_there(self, browse: Browse, app: FastAPI, owner: Person) -> None:
        browser = await browse(owner)
        page = (await browser.get("/admin/")).text
        files = [part.split('"')[0] for part in page.replace('src="', 'href="').split('href="')[1:]]
        for path in files:
            if "/static" in path:
                assert (await browser.get(path)).status_code == 200, path
