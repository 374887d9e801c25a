"""The pages of accounts as the server sends them; tests/browser tries them out."""

import re

import httpx2
import pytest

from game.accounts.tokens import COOKIE
from tests.conftest import PASSWORD, Person

PATHS = ("/login", "/signup", "/forgot-password", "/reset-password", "/verify-email")


async def cookie_of(client: httpx2.AsyncClient, person: Person) -> str:
    form = {"username": person.email, "password": PASSWORD}
    answer = await client.post("/auth/cookie/login", data=form)
    value: str = answer.cookies[COOKIE]
    client.cookies.clear()
    return f"{COOKIE}={value}"


class TestPages:
    @pytest.mark.parametrize("path", [*PATHS, "/login/", "/login?next=/account"])
    async def test_are_served(self, client: httpx2.AsyncClient, path: str) -> None:
        answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"

    @pytest.mark.parametrize("path", [*PATHS, "/account"])
    async def test_nothing_in_them_is_inline_or_of_another_site(
        self, client: httpx2.AsyncClient, owner: Person, path: str
    ) -> None:
        answer = await client.get(path, headers={"cookie": await cookie_of(client, owner)})
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", answer.text)
        for address in re.findall(r"""(?:src|href|action)="([^"]*)\"""", answer.text):
            assert address.startswith(("/", "#content")), address
            assert not address.startswith("//")
            if address.startswith("/static/"):
                assert (await client.get(address)).status_code == 200, address

    @pytest.mark.parametrize("path", PATHS)
    async def test_are_not_for_writing(self, client: httpx2.AsyncClient, path: str) -> None:
        assert (await client.post(path)).status_code == 405

    async def test_nothing_of_the_query_is_echoed(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/login?next=%3Cscript%3Egotcha(1)%3C/script%3E&email=evil")
        assert "gotcha" not in answer.text
        assert "evil" not in answer.text


class TestAccount:
    @pytest.mark.parametrize("cookie", ["", f"{COOKIE}=", f"{COOKIE}=nonsense", f"{COOKIE}=a.b.c"])
    async def test_without_a_log_in(self, client: httpx2.AsyncClient, cookie: str) -> None:
        answer = await client.get("/account", headers={"cookie": cookie})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/account")

    async def test_with_one(self, client: httpx2.AsyncClient, owner: Person) -> None:
        """The page itself has nothing of anybody: what is in it comes from the API."""
        answer = await client.get("/account", headers={"cookie": await cookie_of(client, owner)})
        assert answer.status_code == 200
        assert owner.email not in answer.text
