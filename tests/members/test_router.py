"""Members and invitations: who comes, in what role, and who goes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from game.core.limits import Rate
from tests.accounts.conftest import waits_for_a_lock
from tests.conftest import Person, new_client

NewPerson = Callable[..., Awaitable[Person]]


async def invite(person: Person, universe_id: str, **body: Any) -> dict[str, Any]:
    answer = await person.client.post(f"/universes/{universe_id}/invitations", json={"role": "player", **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def join(person: Person, owner: Person, universe_id: str, role: str = "player") -> None:
    code = (await invite(owner, universe_id, role=role))["code"]
    answer = await person.client.post(f"/invitations/{code}/accept")
    assert (answer.status_code, answer.json()) == (200, {"universe_id": universe_id, "role": role})


async def roles(person: Person, universe_id: str) -> dict[str, str]:
    items = (await person.client.get(f"/universes/{universe_id}/members")).json()["items"]
    return {item["user_id"]: item["role"] for item in items}


async def kinds(person: Person, universe_id: str) -> list[str]:
    items = (await person.client.get(f"/universes/{universe_id}/events")).json()["items"]
    return [item["kind"] for item in items]


class TestInvitations:
    async def test_the_whole_way(self, owner: Person, stranger: Person, client: httpx2.AsyncClient) -> None:
        universe = await owner.universe(name="The Marches")
        made = await invite(owner, universe["id"], max_uses=2, expires_in=3600)
        assert len(made["code"]) >= 20
        assert made["url"] == f"http://localhost/join/{made['code']}"
        shown = (await client.get(f"/invitations/{made['code']}")).json()
        expected = {"universe_name": "The Marches", "role": "player", "invited_by": "Owner"}
        assert shown == {**expected, "expires_at": made["expires_at"]}
        for _ in range(2):
            # The second time nothing is used up: a member stays what they are.
            answer = await stranger.client.post(f"/invitations/{made['code']}/accept")
            assert answer.json() == {"universe_id": universe["id"], "role": "player"}
        [listed] = (await owner.client.get(f"/universes/{universe['id']}/invitations")).json()["items"]
        assert listed == {**made, "uses": 1}
        [theirs] = (await stranger.client.get("/universes")).json()["items"]
        assert theirs == {**universe, "role": "player"}
        assert (await kinds(stranger, universe["id"])) == ["universe.created", "member.joined"]
        assert "invitation.created" in await kinds(owner, universe["id"])

    async def test_an_owner_who_accepts_stays_owner(self, owner: Person) -> None:
        universe = await owner.universe()
        code = (await invite(owner, universe["id"], role="spectator"))["code"]
        assert (await owner.client.post(f"/invitations/{code}/accept")).json()["role"] == "owner"

    async def test_what_is_good_for_nothing(
        self, owner: Person, stranger: Person, client: httpx2.AsyncClient, database: asyncpg.Connection
    ) -> None:
        """Used up, expired, withdrawn, never made, much too long: the same 404."""
        universe = await owner.universe()
        used, expired, withdrawn = [await invite(owner, universe["id"], max_uses=1) for _ in range(3)]
        assert (await stranger.client.post(f"/invitations/{used['code']}/accept")).status_code == 200
        await database.execute("UPDATE invitation SET expires_at = now() WHERE code = $1", expired["code"])
        path = f"/universes/{universe['id']}/invitations"
        assert (await owner.client.delete(f"{path}/{withdrawn['id']}")).status_code == 204
        assert (await owner.client.delete(f"{path}/{withdrawn['id']}")).status_code == 404
        answers = set()
        for code in (used["code"], expired["code"], withdrawn["code"], "x" * 24, "x" * 10_000, "%20", "ä"):
            for answer in (
                await client.get(f"/invitations/{code}"),
                await owner.client.post(f"/invitations/{code}/accept"),
            ):
                assert answer.status_code == 404
                answers.add(answer.text.replace(answer.headers["x-request-id"], ""))
        assert len(answers) == 1
        assert (await owner.client.get(path)).json()["items"] == []

    async def test_the_last_use_is_taken_by_one(self, owner: Person, new_person: NewPerson) -> None:
        universe = await owner.universe()
        code = (await invite(owner, universe["id"], max_uses=1))["code"]
        people = [await new_person() for _ in range(8)]
        answers = await asyncio.gather(*(one.client.post(f"/invitations/{code}/accept") for one in people))
        assert sorted(answer.status_code for answer in answers) == [200] + [404] * 7
        assert len(await roles(owner, universe["id"])) == 2

    async def test_guesses_are_limited(self, app: FastAPI, owner: Person) -> None:
        """Wrong codes count, right ones do not."""
        universe = await owner.universe()
        code = (await invite(owner, universe["id"]))["code"]
        rate, app.state.settings.limit_code = app.state.settings.limit_code, Rate(20, 3600)
        try:
            async with new_client(app, "192.0.2.77") as guesser:
                right = [await guesser.get(f"/invitations/{code}") for _ in range(40)]
                assert {answer.status_code for answer in right} == {200}
                wrong = [await guesser.get(f"/invitations/{uuid4()}") for _ in range(60)]
                assert [answer.status_code for answer in wrong] == [404] * 20 + [429] * 40
                assert int(wrong[-1].headers["retry-after"]) > 0
                # Who has guessed too often does not learn that this one is right.
                assert (await guesser.get(f"/invitations/{code}")).status_code == 429
        finally:
            app.state.settings.limit_code = rate

    async def test_the_owner_alone_invites_game_masters(
        self, owner: Person, stranger: Person, new_person: NewPerson
    ) -> None:
        universe = await owner.universe()
        await join(stranger, owner, universe["id"], "game_master")
        path = f"/universes/{universe['id']}/invitations"
        assert (await stranger.client.post(path, json={"role": "game_master"})).status_code == 403
        assert (await stranger.client.post(path, json={"role": "player"})).status_code == 201
        player = await new_person()
        await join(player, stranger, universe["id"])
        for request in (player.client.get(path), player.client.post(path, json={"role": "player"})):
            assert (await request).status_code == 403
        made = await invite(owner, universe["id"], role="game_master")
        for person, status in ((player, 403), (stranger, 403), (owner, 204)):
            assert (await person.client.delete(f"{path}/{made['id']}")).status_code == status

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"role": "owner"},
            {"role": "superuser"},
            {"role": "player", "max_uses": 0},
            {"role": "player", "expires_in": 59},
            {"role": "player", "expires_in": 90 * 86_400 + 1},
            {"role": "player", "code": "mine"},
            {"role": None},
        ],
    )
    async def test_bad_bodies(self, owner: Person, body: dict[str, Any]) -> None:
        universe = await owner.universe()
        answer = await owner.client.post(f"/universes/{universe['id']}/invitations", json=body)
        assert answer.status_code == 422
        assert "<" not in answer.text

    async def test_there_is_an_end_to_them(self, owner: Person) -> None:
        universe = await owner.universe()
        for _ in range(100):
            await invite(owner, universe["id"])
        answer = await owner.client.post(f"/universes/{universe['id']}/invitations", json={"role": "player"})
        assert (answer.status_code, answer.json()["code"]) == (409, "TOO_MANY_INVITATIONS")

    async def test_invitations_of_removed_members_are_withdrawn(
        self, owner: Person, stranger: Person, client: httpx2.AsyncClient
    ) -> None:
        universe = await owner.universe()
        await join(stranger, owner, universe["id"], "game_master")
        code = (await invite(stranger, universe["id"]))["code"]
        assert (await owner.client.delete(f"/universes/{universe['id']}/members/{stranger.id}")).status_code == 204
        assert (await client.get(f"/invitations/{code}")).status_code == 404

    async def test_a_removed_player_needs_a_newer_invitation(
        self, owner: Person, stranger: Person, new_person: NewPerson
    ) -> None:
        """Others can still join by the old one, and so can those who left."""
        universe, guest = await owner.universe(), await new_person()
        member = f"/universes/{universe['id']}/members/{{}}"
        code = (await invite(owner, universe["id"]))["code"]

        async def accept(person: Person, code: str) -> int:
            return (await person.client.post(f"/invitations/{code}/accept")).status_code

        assert [await accept(one, code) for one in (stranger, guest)] == [200, 200]
        assert (await owner.client.delete(member.format(stranger.id))).status_code == 204
        assert (await guest.client.delete(member.format(guest.id))).status_code == 204
        assert [await accept(one, code) for one in (stranger, guest)] == [404, 200]
        assert (await stranger.client.get(f"/universes/{universe['id']}")).status_code == 404
        assert await accept(stranger, (await invite(owner, universe["id"]))["code"]) == 200

    async def test_a_removed_game_master_does_not_come_back_by_a_code(
        self, owner: Person, stranger: Person, client: httpx2.AsyncClient
    ) -> None:
        universe = await owner.universe()
        await join(stranger, owner, universe["id"], "game_master")
        codes = [(await invite(owner, universe["id"], role=role))["code"] for role in ("game_master", "player")]
        listed = (await stranger.client.get(f"/universes/{universe['id']}/invitations")).json()["items"]
        assert {one["role"] for one in listed} == {"player"}
        await owner.client.delete(f"/universes/{universe['id']}/members/{stranger.id}")
        assert [(await client.get(f"/invitations/{code}")).status_code for code in codes] == [404, 404]


class TestMembers:
    async def test_list(self, owner: Person, new_person: NewPerson) -> None:
        universe = await owner.universe()
        people = [await new_person(display_name=f"P{number}") for number in range(5)]
        for person in people:
            await join(person, owner, universe["id"])
        path, seen, cursor = f"/universes/{universe['id']}/members", [], None
        while True:
            page = (
                (await people[0].client.get(path, params={"limit": 2, "cursor": cursor or ""})).json()
                if (cursor)
                else (await people[0].client.get(path, params={"limit": 2})).json()
            )
            seen += page["items"]
            if (cursor := page["next_cursor"]) is None:
                break
        assert [item["display_name"] for item in seen] == ["Owner", "P0", "P1", "P2", "P3", "P4"]
        assert seen[0].keys() == {"user_id", "display_name", "role", "created_at"}
        assert "@" not in str(seen)
        assert (await people[0].client.get(path, params={"cursor": "x"})).status_code == 422

    async def test_without_a_name(self, new_person: NewPerson, owner: Person) -> None:
        """A default name does not reveal the address."""
        person = await new_person()
        universe = await owner.universe()
        await join(person, owner, universe["id"])
        items = (await owner.client.get(f"/universes/{universe['id']}/members")).json()["items"]
        assert person.email.partition("@")[0] not in str(items)

    async def test_roles(self, owner: Person, stranger: Person, new_person: NewPerson) -> None:
        universe = await owner.universe()
        path = f"/universes/{universe['id']}/members"
        player = await new_person()
        await join(stranger, owner, universe["id"], "game_master")
        await join(player, owner, universe["id"])

        async def give(who: Person, whom: Person, role: Any) -> int:
            return (await who.client.patch(f"{path}/{whom.id}", json={"role": role})).status_code

        assert await give(stranger, player, "spectator") == 200
        assert await give(stranger, player, "game_master") == 403
        assert await give(stranger, stranger, "player") == 403
        assert await give(stranger, owner, "player") == 403
        assert await give(player, player, "player") == 403
        assert await give(owner, owner, "player") == 409
        for role in ("owner", "superuser", "captain", None, 5):
            assert await give(owner, player, role) == 422
        answer = await owner.client.patch(f"{path}/{player.id}", json={"role": "game_master"})
        assert (answer.status_code, answer.json()["role"]) == (200, "game_master")
        assert await give(owner, player, "player") == 200
        assert (await owner.client.patch(f"{path}/{uuid4()}", json={"role": "player"})).status_code == 404
        expected = {owner.id: "owner", stranger.id: "game_master", player.id: "player"}
        assert await roles(player, universe["id"]) == expected

    async def test_removal(self, owner: Person, stranger: Person, new_person: NewPerson) -> None:
        universe = await owner.universe()
        path = f"/universes/{universe['id']}/members"
        player, other = await new_person(), await new_person()
        await join(stranger, owner, universe["id"], "game_master")
        for person in (player, other):
            await join(person, owner, universe["id"])

        async def remove(who: Person, whom: Person) -> int:
            return (await who.client.delete(f"{path}/{whom.id}")).status_code

        assert await remove(player, other) == 403
        assert await remove(stranger, owner) == 403
        assert await remove(owner, owner) == 409
        assert await remove(player, player) == 204
        assert await remove(player, player) == 404
        assert await remove(stranger, other) == 204
        assert await remove(owner, other) == 404
        assert await remove(owner, stranger) == 204
        assert await roles(owner, universe["id"]) == {owner.id: "owner"}
        for person in (player, other, stranger):
            assert (await person.client.get(f"/universes/{universe['id']}")).status_code == 404
            assert (await person.client.get("/universes")).json()["items"] == []

    async def test_two_game_masters_in_each_others_way(self, owner: Person, stranger: Person) -> None:
        """A game master is removed while they write: what comes behind the removal is refused."""
        universe = await owner.universe()
        await join(stranger, owner, universe["id"], "game_master")
        path = f"/universes/{universe['id']}"
        answers = await asyncio.gather(
            *(stranger.client.patch(path, json={"name": f"N{number}"}) for number in range(10)),
            owner.client.delete(f"{path}/members/{stranger.id}"),
        )
        assert {answer.status_code for answer in answers} <= {200, 204, 404}
        log = await kinds(owner, universe["id"])
        assert log.index("member.removed") == len(log) - 1


class TestTransfer:
    async def test_to_a_member(self, owner: Person, stranger: Person) -> None:
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        path = f"/universes/{universe['id']}/owner"
        answer = await owner.client.post(path, json={"user_id": stranger.id})
        assert (answer.status_code, answer.json()["role"]) == (200, "game_master")
        assert (answer.json()["owner_id"], answer.headers["etag"]) == (stranger.id, '"2"')
        assert await roles(owner, universe["id"]) == {owner.id: "game_master", stranger.id: "owner"}
        assert (await owner.client.delete(f"/universes/{universe['id']}")).status_code == 403
        assert (await stranger.client.delete(f"/universes/{universe['id']}")).status_code == 204

    async def test_to_nobody(self, owner: Person, stranger: Person) -> None:
        universe = await owner.universe()
        for user_id in (stranger.id, str(uuid4())):
            answer = await owner.client.post(f"/universes/{universe['id']}/owner", json={"user_id": user_id})
            assert answer.status_code == 422
        assert await roles(owner, universe["id"]) == {owner.id: "owner"}

    async def test_two_at_once(self, owner: Person, new_person: NewPerson, database: asyncpg.Connection) -> None:
        for _ in range(3):
            universe = await owner.universe()
            heirs = [await new_person(), await new_person()]
            for heir in heirs:
                await join(heir, owner, universe["id"])
            path = f"/universes/{universe['id']}/owner"
            answers = await asyncio.gather(*(owner.client.post(path, json={"user_id": heir.id}) for heir in heirs))
            assert sorted(answer.status_code for answer in answers) == [200, 403]
            held = "SELECT count(*) FROM member WHERE universe_id = $1 AND role = 'owner'"
            assert await database.fetchval(held, UUID(universe["id"])) == 1

    async def test_an_account_without_universes_can_be_deleted(
        self, owner: Person, stranger: Person, superuser: Person
    ) -> None:
        universe = await owner.universe()
        await join(stranger, owner, universe["id"])
        answer = await superuser.client.delete(f"/users/{owner.id}")
        assert (answer.status_code, answer.json()["code"]) == (409, "USER_OWNS_UNIVERSES")
        assert "Transfer" in answer.json()["detail"]
        await owner.client.post(f"/universes/{universe['id']}/owner", json={"user_id": stranger.id})
        assert (await superuser.client.delete(f"/users/{owner.id}")).status_code == 204
        assert await roles(stranger, universe["id"]) == {stranger.id: "owner"}

    async def test_a_deleted_account_is_removed_from_its_universes(
        self, owner: Person, stranger: Person, superuser: Person
    ) -> None:
        """With an event in each, without their grants, and without the invitations whose codes they know."""
        universes = [await owner.universe(), await owner.universe()]
        # A superuser who plays is a player there, who may not remove others.
        await join(superuser, owner, universes[0]["id"])
        for universe in universes:
            await join(stranger, owner, universe["id"], "game_master")
            await invite(owner, universe["id"])
        path = f"/universes/{universes[0]['id']}/characters"
        character = (await owner.client.post(path, json={"name": "Ashe", "grants": {stranger.id: ["act"]}})).json()
        assert (await superuser.client.delete(f"/users/{stranger.id}")).status_code == 204
        for universe in universes:
            log = (await owner.client.get(f"/universes/{universe['id']}/events")).json()["items"]
            assert (log[-1]["kind"], log[-1]["actor_id"]) == ("member.removed", superuser.id)
            assert (log[-1]["subject_id"], log[-1]["payload"]) == (stranger.id, {"user_id": stranger.id})
            path = f"/universes/{universe['id']}/invitations"
            assert (await owner.client.get(path)).json() == {"items": []}
        assert (await owner.client.get(f"/characters/{character['id']}")).json()["grants"] == {}

    async def test_an_account_that_joins_while_it_is_deleted(
        self, owner: Person, stranger: Person, superuser: Person, database: asyncpg.Connection
    ) -> None:
        first, second = await owner.universe(), await owner.universe()
        await join(stranger, owner, first["id"])
        async with database.transaction():
            await database.execute("SELECT FROM universe WHERE id = $1 FOR UPDATE", UUID(first["id"]))
            deletion = asyncio.create_task(superuser.client.delete(f"/users/{stranger.id}"))
            await waits_for_a_lock(database)
            await join(stranger, owner, second["id"])
        assert (await deletion).status_code == 204
        for universe in (first, second):
            log = (await owner.client.get(f"/universes/{universe['id']}/events")).json()["items"]
            assert (log[-1]["kind"], log[-1]["subject_id"]) == ("member.removed", stranger.id)


class TestDatabase:
    """What constraints of the tables enforce."""

    async def test_owners_stay_members(
        self, owner: Person, stranger: Person, database: asyncpg.Connection
    ) -> None:
        universe = UUID((await owner.universe())["id"])
        for statement in (
            f"DELETE FROM member WHERE universe_id = '{universe}'",
            f"UPDATE member SET role = 'player' WHERE universe_id = '{universe}'",
            f"UPDATE universe SET owner_id = '{stranger.id}' WHERE id = '{universe}'",
        ):
            with pytest.raises(asyncpg.ForeignKeyViolationError):
                await database.execute(statement)
        with pytest.raises(asyncpg.UniqueViolationError):
            await database.execute("INSERT INTO member VALUES ($1, $2, 'owner')", universe, UUID(stranger.id))
