"""The page of an invitation as the server sends it; tests/browser/test_members.py tries it out."""

import httpx2

from game.accounts.tokens import COOKIE
from tests.accounts.test_pages import cookie_of
from tests.conftest import Person


async def test_the_page_contains_only_whether_the_visitor_is_logged_in(
    client: httpx2.AsyncClient, owner: Person
) -> None:
    """What the invitation is about, the script asks the API: it counts guesses."""
    universe = await owner.universe(name="The Marches")
    made = await owner.client.post(f"/universes/{universe['id']}/invitations", json={"role": "player"})
    pages = [
        await client.get(f"/join/{code}", headers={"cookie": cookie})
        for code in (made.json()["code"], "x" * 10_000)
        for cookie in (f"{COOKIE}=nonsense", await cookie_of(client, owner))
    ]
    assert [page.status_code for page in pages] == [200] * 4
    assert pages[0].text == pages[2].text
    assert pages[1].text == pages[3].text
    assert 'data-signed-in=""' in pages[0].text
    assert 'data-signed-in="yes"' in pages[1].text
    assert "The Marches" not in pages[1].text
    assert (await client.post(f"/join/{made.json()['code']}")).status_code == 405
