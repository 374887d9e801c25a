"""What players remember while a map and its tokens change, in the database."""

from tests.conftest import Person
from tests.fog.conftest import SIGHT, Table


async def test_what_is_behind_a_door(table: Table, stranger: Person) -> None:
    await table.token(x=1, y=2, sight=SIGHT, grants={stranger.id: ["act"]})
    assert await table.fog() == ["222222000000"] * 5
    await table.edit({"op": "update_door", "id": "door", "changes": {"state": "open"}})
    fog = await table.fog()
    assert fog[2] == "222222222222"
    assert fog[0] == "222222000000"
    await table.edit({"op": "update_door", "id": "door", "changes": {"state": "closed"}})
    assert (await table.fog())[2] == "222222111111"
    # Built out of sight: nobody knows, until they look again.
    await table.edit({"op": "set", "layer": "ground", "cells": [{"x": 9, "y": 2, "symbol": "#"}]})
    assert (await table.ground())[2] == "............"
    await table.edit({"op": "update_door", "id": "door", "changes": {"state": "open"}})
    assert (await table.ground())[2] == ".........#.."
    await table.edit({"op": "set", "layer": "ground", "cells": [{"x": 8, "y": 2, "symbol": "#"}]})
    assert (await table.ground())[2] == "........##.."
    assert (await table.fog())[2] == "222222222211"
