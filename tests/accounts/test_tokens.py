"""Access tokens and refresh tokens."""

import base64
import time
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.accounts import tokens as module
from game.accounts.tokens import ACCESS_AUDIENCE, COOKIE, AccessTokens, Identity, RefreshTokens, derive_key

SECRET = "a secret for tests, long enough: 0123456789"
KEY = derive_key(SECRET, "access")
USER, SESSION = UUID(int=1), UUID(int=2)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"sub": str(USER), "sid": str(SESSION), "aud": ACCESS_AUDIENCE, "iat": now, "exp": now + 60, **changes}


def encode(claims: Any) -> str:
    return base64.urlsafe_b64encode(claims).rstrip(b"=").decode()


class TestAccessTokens:
    def test_round_trip(self) -> None:
        tokens = AccessTokens(SECRET)
        before = time.time()
        for _ in range(2):  # the second time from memory
            identity = tokens.read(tokens.sign(USER, SESSION, 60).encode())
            assert identity is not None
            assert identity[:2] == (USER, SESSION)
            assert before + 59 <= identity.expires_at <= time.time() + 60
            assert not identity.by_cookie

    def test_another_secret(self) -> None:
        token = AccessTokens("another secret, as long as it must be").sign(USER, SESSION, 60)
        assert AccessTokens(SECRET).read(token.encode()) is None

    def test_keys_differ_by_purpose(self) -> None:
        assert len({derive_key(SECRET, purpose) for purpose in ("access", "refresh", "reset", "verify")}) == 4

    @pytest.mark.parametrize(
        "changes",
        [
            {"aud": "fastapi-users:auth"},
            {"aud": "fastapi-users:reset"},
            {"aud": None},
            {"exp": int(time.time()) - 1},
            {"exp": None},
            {"exp": "later"},
            {"sub": None},
            {"sub": "1"},
            {"sub": 1},
            {"sid": None},
            {"sid": []},
            {"sid": "not a session"},
        ],
    )
    def test_claims_that_are_missing_or_wrong(self, changes: dict[str, Any]) -> None:
        whole = {name: value for name, value in claims(**changes).items() if value is not None}
        assert AccessTokens(SECRET).read(jwt.encode(whole, KEY, "HS256").encode()) is None

    @pytest.mark.parametrize("algorithm", ["none", "None", "NONE"])
    def test_no_algorithm(self, algorithm: str) -> None:
        header = encode(b'{"alg":"%s","typ":"JWT"}' % algorithm.encode())
        body = jwt.encode(claims(), KEY, "HS256").split(".")[1]
        tokens = AccessTokens(SECRET)
        assert tokens.read(f"{header}.{body}.".encode()) is None
        assert tokens.read(f"{header}.{body}".encode()) is None

    def test_another_algorithm(self) -> None:
        assert AccessTokens(SECRET).read(jwt.encode(claims(), KEY * 2, "HS512").encode()) is None
        assert AccessTokens(SECRET).read(jwt.encode(claims(), KEY, "HS384").encode()) is None

    def test_changed_claims_with_the_old_signature(self) -> None:
        header, _, signature = AccessTokens(SECRET).sign(USER, SESSION, 60).split(".")
        other = jwt.encode(claims(sub=str(uuid4())), "x" * 64, "HS256").split(".")[1]
        assert AccessTokens(SECRET).read(f"{header}.{other}.{signature}".encode()) is None

    def test_a_token_that_expires_while_it_is_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tokens = AccessTokens(SECRET)
        token = tokens.sign(USER, SESSION, 60).encode()
        assert tokens.read(token) is not None
        later = time.time() + 60
        monkeypatch.setattr(time, "time", lambda: later)
        assert tokens.read(token) is None

    def test_memory_is_bounded_and_holds_only_ours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_MAX_CACHED", 8)
        tokens = AccessTokens(SECRET)
        for number in range(40):
            assert tokens.read(tokens.sign(USER, UUID(int=number), 60).encode()) is not None
            assert tokens.read(b"not.a.token%d" % number) is None
        assert len(tokens._cache) <= 8

    @given(st.binary(max_size=200) | st.text(alphabet='eyJ.-_[{"', max_size=200).map(str.encode))
    def test_any_bytes_are_no_error(self, token: bytes) -> None:
        assert AccessTokens(SECRET).read(token) is None

    @pytest.mark.parametrize("depth", [100, 1_000, 100_000])
    def test_a_deep_header_is_no_error(self, depth: int) -> None:
        assert AccessTokens(SECRET).read(f"{encode(b'[' * depth)}.e30.e30".encode()) is None


class TestIdentify:
    def identify(self, *headers: tuple[bytes, bytes]) -> Identity | None:
        return AccessTokens(SECRET).identify({"headers": headers})

    def token(self, number: int = 1) -> bytes:
        return AccessTokens(SECRET).sign(UUID(int=number), SESSION, 60).encode()

    def cookie(self, number: int = 1) -> bytes:
        return COOKIE.encode() + b"=" + self.token(number)

    def test_nothing(self) -> None:
        assert self.identify() is None
        assert self.identify((b"cookie", b"other=1")) is None

    @pytest.mark.parametrize("scheme", [b"Bearer", b"bearer", b"BEARER"])
    def test_bearer(self, scheme: bytes) -> None:
        found = self.identify((b"authorization", scheme + b" " + self.token()))
        assert found is not None
        assert not found.by_cookie

    @pytest.mark.parametrize("value", [b"", b"Bearer", b"Bearer ", b"Basic Zm9vOmJhcg==", b"Token x"])
    def test_other_schemes(self, value: bytes) -> None:
        assert self.identify((b"authorization", value)) is None

    @pytest.mark.parametrize("frame", [b"%s", b"a=1; %s", b"%s; a=1", b"a=1;%s;b=2", b"xworldkeep_session=1; %s"])
    def test_cookie(self, frame: bytes) -> None:
        found = self.identify((b"cookie", frame % self.cookie()))
        assert found is not None
        assert found.by_cookie

    def test_the_header_beats_the_cookie_in_any_order(self) -> None:
        header, cookie = (b"authorization", b"Bearer " + self.token(1)), (b"cookie", self.cookie(2))
        for headers in ((header, cookie), (cookie, header)):
            found = self.identify(*headers)
            assert found is not None
            assert (found.user_id, found.by_cookie) == (UUID(int=1), False)

    def test_a_bad_header_is_not_saved_by_a_cookie(self) -> None:
        assert self.identify((b"cookie", self.cookie()), (b"authorization", b"Bearer x")) is None


class TestRefreshTokens:
    def test_round_trip(self) -> None:
        tokens = RefreshTokens(SECRET)
        token, stored = tokens.new(SESSION)
        assert tokens.read(token) == (SESSION, stored)

    def test_each_is_another(self) -> None:
        tokens = RefreshTokens(SECRET)
        assert tokens.new(SESSION)[0] != tokens.new(SESSION)[0]

    def test_what_is_stored_does_not_show_it(self) -> None:
        token, stored = RefreshTokens(SECRET).new(SESSION)
        assert len(stored) == 32
        assert stored not in base64.urlsafe_b64decode(token)

    def test_another_secret(self) -> None:
        token, _ = RefreshTokens("another secret, as long as it must be").new(SESSION)
        assert RefreshTokens(SECRET).read(token) is None

    def test_one_made_from_a_session_id_alone(self) -> None:
        for size in (0, 32, 64):
            forged = base64.urlsafe_b64encode(SESSION.bytes + bytes(size)).decode()
            assert RefreshTokens(SECRET).read(forged) is None

    @given(st.data())
    def test_one_changed_byte(self, data: st.DataObject) -> None:
        tokens = RefreshTokens(SECRET)
        raw = bytearray(base64.urlsafe_b64decode(tokens.new(SESSION)[0]))
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
        assert tokens.read(base64.urlsafe_b64encode(raw).decode()) is None

    @given(st.text(max_size=200))
    def test_any_text_is_no_error(self, token: str) -> None:
        assert RefreshTokens(SECRET).read(token) is None

    def test_no_access_token(self) -> None:
        assert RefreshTokens(SECRET).read(AccessTokens(SECRET).sign(USER, SESSION, 60)) is None
