"""Hashing passwords."""

import asyncio

import bcrypt
import pytest
from argon2 import PasswordHasher

from game.accounts import passwords
from game.accounts.passwords import hash_password, verify_password
from tests.accounts.conftest import Threads, until

PASSWORD = "correct horse battery"


class TestHash:
    @pytest.mark.usefixtures("real_passwords")
    async def test_is_argon2id_with_the_recommended_costs(self) -> None:
        assert (await hash_password(PASSWORD)).startswith("$argon2id$v=19$m=19456,t=2,p=1$")

    async def test_is_salted(self) -> None:
        assert await hash_password(PASSWORD) != await hash_password(PASSWORD)

    async def test_runs_beside_the_event_loop(self, threads: Threads) -> None:
        threads.hold()
        hashing = asyncio.create_task(hash_password(PASSWORD))
        await until(lambda: threads.waiting)
        # The loop is not blocked, otherwise this line would not be reached.
        assert not hashing.done()
        threads.release()
        assert (await hashing).startswith("$argon2id$")


class TestVerify:
    @pytest.mark.parametrize(
        "password",
        [
            PASSWORD,
            "   eight spaces   ",
            "ключ от дома",
            "🐉🐉🐉🐉🐉🐉🐉🐉",
            "tab\tand \x7f",
            "x" * 128,
            "é" * 128,
        ],
    )
    async def test_right_and_wrong(self, password: str) -> None:
        hashed = await hash_password(password)
        assert await verify_password(password, hashed) == (True, None)
        assert (await verify_password(password + " ", hashed))[0] is False
        assert (await verify_password(password.swapcase() + "x", hashed))[0] is False

    async def test_two_spellings_of_one_letter_are_the_same(self) -> None:
        assert (await verify_password("caf\u0065\u0301 noir", await hash_password("caf\u00e9 noir")))[0]

    @pytest.mark.usefixtures("real_passwords")
    async def test_an_unknown_account_fails_at_the_same_cost(self, threads: Threads) -> None:
        hashed = await hash_password(PASSWORD)
        assert passwords._DUMMY_HASH.split("$")[:4] == hashed.split("$")[:4]
        assert [len(part) for part in passwords._DUMMY_HASH.split("$")] == [
            len(part) for part in hashed.split("$")
        ]
        threads.jobs.clear()
        assert await verify_password("wrong password", hashed) == (False, None)
        known = threads.jobs.copy()
        threads.jobs.clear()
        assert await verify_password("wrong password", None) == (False, None)
        assert threads.jobs == known != []

    @pytest.mark.usefixtures("real_passwords")
    async def test_a_weaker_hash_is_replaced(self) -> None:
        weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
        right, stronger = await verify_password(PASSWORD, weak)
        assert right
        assert stronger is not None
        assert await verify_password(PASSWORD, stronger) == (True, None)
        assert await verify_password("wrong password", weak) == (False, None)

    async def test_a_bcrypt_hash_is_replaced(self) -> None:
        old = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        right, stronger = await verify_password(PASSWORD, old)
        assert right
        assert stronger is not None
        assert stronger.startswith("$argon2id$")

    async def test_a_long_password_against_bcrypt_is_wrong_and_no_error(self) -> None:
        old = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        assert await verify_password("x" * 128, old) == (False, None)
        # Bcrypt never used what follows the first 72 bytes.
        cut = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
        assert (await verify_password("x" * 128, cut))[0]

    @pytest.mark.parametrize(
        "hashed", ["!", "*", "plain text", "$argon2id$v=19$m=1,t=1,p=1$xx$yy", "$2b$04$short"]
    )
    async def test_an_unknown_hash_never_matches(self, hashed: str) -> None:
        assert await verify_password("plain text", hashed) == (False, None)
