"""What the back office never shows: whispers, and rolls that are for their roller alone."""

import pytest

from tests.admin.conftest import Browse
from tests.conftest import Person
from tests.rolls.test_router import Table
from tests.rolls.test_router import table as table

MARK = "x5EcReTx"


@pytest.mark.parametrize("role", ["owner", "superuser"])
async def test_what_is_private(browse: Browse, table: Table, superuser: Person, role: str) -> None:
    """Not even the user's own, and not for superusers."""
    browser = await browse(superuser if role == "superuser" else table.owner)
    pages = []
    for person, to in ((table.player, table.other), (table.owner, table.owner)):
        roll = await table.roll(person, f"d20 [{MARK}]", visibility="me", reason=MARK)
        whisper = {"text": MARK, "to": [to.id]}
        said = await person.client.post(f"/universes/{table.universe_id}/messages", json=whisper)
        pages += [f"roll/details/{roll['id']}", f"message/details/{said.json()['id']}"]
    for page in pages:
        answer = await browser.get(f"/admin/{page}")
        assert answer.status_code == 404, page
        assert MARK not in answer.text
    events = (await table.owner.client.get(f"/universes/{table.universe_id}/events?limit=1000")).json()["items"]
    query = f"universe_id={table.universe_id}"
    for page in (
        f"roll/list?{query}&pageSize=100",
        f"roll/export/csv?{query}",
        f"message/list?{query}&pageSize=100",
        f"message/export/csv?{query}",
        f"event/list?{query}&pageSize=100",
        f"event/export/csv?{query}",
        f"universe/details/{table.universe_id}",
        *(f"event/details/{table.universe_id};{one['seq']}" for one in events),
    ):
        answer = await browser.get(f"/admin/{page}")
        assert answer.status_code == 200, page
        assert MARK not in answer.text, page


async def test_what_is_not(browse: Browse, table: Table) -> None:
    browser = await browse(table.game_master)
    roll = await table.roll(table.player, "2d6 [<b>fire</b>]", visibility="blind", reason="A hunch")
    page = (await browser.get(f"/admin/roll/details/{roll['id']}")).text
    assert "2d6 (" in page
    assert "&lt;b&gt;fire&lt;/b&gt;" in page
    assert "A hunch" in page
    said = {"text": "<script>x</script>"}
    made = await table.other.client.post(f"/universes/{table.universe_id}/messages", json=said)
    listed = (await browser.get(f"/admin/message/list?universe_id={table.universe_id}")).text
    assert "&lt;script&gt;x" in listed
    assert "<script>x" not in (await browser.get(f"/admin/message/details/{made.json()['id']}")).text
