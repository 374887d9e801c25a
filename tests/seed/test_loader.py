"""The demo: its data files keep the rules, and loading it twice changes nothing."""

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from pydantic import SecretStr

from game.core.settings import Settings
from game.grid.document import check, size
from game.main import create_app, lifespan
from seed.loader import DemoLogin, content, load_demo
from tests.conftest import new_client

UNIVERSE, MAPS = content()


class TestContent:
    @pytest.mark.parametrize("one", MAPS, ids=lambda one: str(one["name"]))
    def test_keeps_the_rules(self, one: dict[str, Any]) -> None:
        check(one["grid_data"])
        assert one.keys() - {"visibility", "fog", "lighting"} == {"name", "description", "grid_data"}
        assert one["description"]

    @pytest.mark.parametrize("one", MAPS, ids=lambda one: str(one["name"]))
    def test_has_no_symbol_without_use_and_no_thing_without_a_name(self, one: dict[str, Any]) -> None:
        grid = one["grid_data"]
        used = {symbol for layer in grid["layers"] for row in layer.get("rows", ()) for symbol in row}
        assert {entry["symbol"] for entry in grid["legend"]} == used - {" "}
        for entry in grid["legend"]:
            assert entry["name"]
            assert entry["color"]
        for entity in grid["entities"]:
            assert entity["kind"]
            assert entity["name"]

    def test_has_a_tavern_a_dungeon_and_an_overworld(self) -> None:
        kinds = {
            (one["grid_data"]["grid_type"], *size(one["grid_data"]), len(one["grid_data"]["layers"]))
            for one in MAPS
        }
        assert any(kind == "square" and width <= 32 and height <= 24 for kind, width, height, _ in kinds)
        assert any(kind == "square" and width >= 60 and layers > 2 for kind, width, _, layers in kinds)
        assert any(kind.startswith("hex") and width >= 90 for kind, width, _, _ in kinds)

    def test_universe(self) -> None:
        assert UNIVERSE.keys() == {"name", "description"}


def everything(url: str) -> list[Any]:
    """All rows that the demo makes."""

    async def read() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            tables = (
                "account",
                "universe",
                "map",
                "map_chunk",
                "event",
                "character",
                "token",
                "note",
                "encounter",
            )
            return [await connection.fetch(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]
        finally:
            await connection.close()

    return asyncio.run(read())


@pytest.fixture
def settings_of(tmp_path: Path, new_database: Callable[[], str]) -> Settings:
    """Settings of a server with an empty database."""
    return Settings(
        # pydantic-settings takes it, and does not say so in its types.
        _env_file=None,  # type: ignore[call-arg]  # of pydantic-settings, untyped
        database_url=SecretStr(new_database()),
        data_dir=tmp_path,
        secret_key=SecretStr("a secret for tests, long enough: 0123456789"),
        log_level="warning",
    )


class TestLoadDemo:
    def test_twice_changes_nothing(self, settings_of: Settings, tmp_path: Path) -> None:
        first = asyncio.run(load_demo(settings_of))
        url = settings_of.url()
        rows = everything(url)
        assert [len(table) for table in rows[:3]] == [4, 1, len(MAPS)]
        assert asyncio.run(load_demo(settings_of)) == first
        assert everything(url) == rows
        assert [one.role for one in first] == ["superuser", "game master", "player one", "player two"]
        [kept] = [path for path in tmp_path.iterdir() if path.is_file()]
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert len({one.password for one in first}) == 4
        assert min(len(one.password) for one in first) >= 12

    def test_all_accounts_can_log_in_and_the_game_master_has_the_maps(self, settings_of: Settings) -> None:
        logins = asyncio.run(load_demo(settings_of))
        found = asyncio.run(self.look_around(settings_of, logins))
        names = {one["name"] for one in MAPS}
        published = {one["name"] for one in MAPS if one.get("visibility") == "members"}
        assert found == {
            "superuser": set(),
            "game master": names,
            "player one": published,
            "player two": published,
        }

    @staticmethod
    async def look_around(settings: Settings, logins: list[DemoLogin]) -> dict[str, set[str]]:
        """The names of the maps that each of the demo's people sees; each map is as in its file."""
        found = {}
        grids = {one["name"]: one["grid_data"] for one in MAPS}
        app = create_app(settings)
        async with lifespan(app), new_client(app) as client:
            for role, email, password in logins:
                form = {"username": email, "password": password}
                login = await client.post("/auth/jwt/login", data=form)
                assert login.status_code == 200, login.text
                headers = {"authorization": f"Bearer {login.json()['access_token']}"}
                items = (await client.get("/maps", headers=headers)).json()["items"]
                for item in items:
                    answer: httpx2.Response = await client.get(f"/maps/{item['id']}", headers=headers)
                    if role == "game master":
                        assert answer.json()["grid_data"] == grids[item["name"]]
                    else:
                        assert answer.json().keys() & {"version", "updated_at"} == set()
                        is_whole = answer.json()["grid_data"]["layers"] == grids[item["name"]]["layers"]
                        assert is_whole == ("fog" not in answer.json()["grid_data"])
                found[role] = {item["name"] for item in items}
        return found


class TestAdventure:
    def test_what_players_find(self, settings_of: Settings) -> None:
        """Each their own character; of the dungeon what their tokens see; no encounter, and no secret."""
        logins = asyncio.run(load_demo(settings_of))
        asyncio.run(self.look_around(settings_of, {one.role: one for one in logins}))

    @staticmethod
    async def look_around(settings: Settings, logins: dict[str, DemoLogin]) -> None:
        app = create_app(settings)
        async with lifespan(app), new_client(app) as client:

            async def get(role: str, path: str) -> Any:
                form = {"username": logins[role].email, "password": logins[role].password}
                login = await client.post("/auth/jwt/login", data=form)
                headers = {"authorization": f"Bearer {login.json()['access_token']}"}
                answer = await client.get(path, headers=headers)
                assert answer.status_code == 200, answer.text
                return answer.json()

            [universe] = (await get("player one", "/universes"))["items"]
            path = f"/universes/{universe['id']}"
            [prepared] = (await get("game master", f"{path}/encounters"))["items"]
            assert (prepared["state"], prepared["map_id"]) == ("prepared", universe["active_map_id"])
            whole = await get("game master", f"/encounters/{prepared['id']}")
            assert len(whole["combatants"]) == 5
            for role, own in (("player one", "Ashe"), ("player two", "Bram")):
                items = (await get(role, f"{path}/characters"))["items"]
                assert {one["name"] for one in items} == {"Ashe", "Bram"}
                assert [one["name"] for one in items if "sheet" in one] == [own]
                assert (await get(role, f"{path}/encounters"))["items"] == []
                titles = {one["title"] for one in (await get(role, f"{path}/notes"))["items"]}
                handouts = {"A letter from the miller", "Words on the lintel"}
                assert titles == handouts | ({"Ashe's journal"} if own == "Ashe" else set())
                pieces = (await get(role, f"/maps/{universe['active_map_id']}/tokens"))["items"]
                assert {one["name"] for one in pieces} >= {"Ashe", "Bram"}
                assert not {one["name"] for one in pieces} & {"Skeleton", "Sister Almery"}
                fog = (await get(role, f"/maps/{universe['active_map_id']}/fog"))["rows"]
                assert 20 < "".join(fog).count("2") < 600
                dungeon = await get(role, f"/maps/{universe['active_map_id']}")
                assert "secret" not in str(dungeon)
                assert not [one for one in dungeon["grid_data"]["entities"] if one["kind"] in ("monster", "trap")]
