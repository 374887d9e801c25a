"""Fixtures for the tests of the admin: browsers that are logged in to it."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from tests.conftest import Person, new_client

Browse = Callable[[Person], Awaitable[httpx2.AsyncClient]]


@pytest.fixture
async def browse(app: FastAPI) -> AsyncIterator[Browse]:
    """Logs people in to the admin; each gets a browser."""
    browsers = []

    async def log_in(person: Person) -> httpx2.AsyncClient:
        browser = new_client(app)
        browsers.append(browser)
        form = {"username": person.email, "password": person.password}
        answer = await browser.post("/admin/login", data=form)
        assert answer.status_code == 303, answer.text
        return browser

    yield log_in
    for browser in browsers:
        await browser.aclose()


def version_in(page: str) -> str:
    """The version that a form was opened with."""
    found = re.search(r'name="version"[^>]*value="(\d+)"', page)
    assert found, page
    return found[1]


async def events_of(person: Person, universe_id: str) -> list[dict[str, Any]]:
    """The log of a universe, as its owner reads it."""
    answer = await person.client.get(f"/universes/{universe_id}/events", params={"limit": 1000})
    return list(answer.json()["items"])
