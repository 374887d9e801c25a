"""The gate for JSON: what it lets through comes out equal, and what it stops it names with its place."""

import json
import math
from typing import Any

import httpx2
import orjson
import pytest
from fastapi import FastAPI
from hypothesis import assume, given
from hypothesis import strategies as st

from game.core.json_gate import MAX_DEPTH, MAX_STRING, JsonRefused, parse
from game.core.strict_json import MAX_FIELDS
from tests.conftest import Person, new_client, sign_up_and_log_in

JSON = {"content-type": "application/json"}

NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-(2.0**53) + 1, 2.0**53 - 1).filter(
    lambda number: number == 0 or abs(number) >= 1e-64
)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture(scope="module")
async def owner(app: FastAPI) -> Person:
    """A user for all tests of this module, because hashing passwords is slow."""
    return await sign_up_and_log_in(new_client(app))


def refused(raw: bytes) -> JsonRefused:
    with pytest.raises(JsonRefused) as caught:
        parse(raw)
    return caught.value


def whole_floats_as_integers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: whole_floats_as_integers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [whole_floats_as_integers(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class TestParse:
    @given(st.dictionaries(TEXTS, VALUES, max_size=5), st.booleans())
    def test_lets_every_ordinary_value_through(self, value: dict[str, Any], ascii_only: bool) -> None:
        parsed = parse(json.dumps(value, ensure_ascii=ascii_only).encode())
        # As text, for in Python 1, 1.0 and True are equal.
        assert json.dumps(parsed) == json.dumps(whole_floats_as_integers(value))

    @given(
        st.binary(max_size=40) | st.text(st.sampled_from('{}[]":,\\u0d8ea1-.eNIn \t'), max_size=30).map(str.encode)
    )
    def test_refuses_whatever_is_not_json_and_never_fails(self, raw: bytes) -> None:
        try:
            value = parse(raw)
        except JsonRefused:
            return
        assert whole_floats_as_integers(json.loads(raw)) == value

    @given(TEXTS, st.data())
    def test_finds_a_duplicate_key_in_any_spelling(self, key: str, data: st.DataObject) -> None:
        escaped = "".join(
            f"\\u{ord(one):04x}" if data.draw(st.booleans()) and one <= "\uffff" else json.dumps(one)[1:-1]
            for one in key
        )
        inner = data.draw(VALUES)
        assume(not isinstance(inner, dict) or not inner)
        text = f'{{"a": [{{{json.dumps(key)}: {json.dumps(inner)}, "other": ":::", "{escaped}": 1}}]}}'
        assume(key != "other")
        assert refused(text.encode()).code == "duplicate_key"

    @pytest.mark.parametrize(
        "raw",
        [
            b'{"a": ":", "b": "::\\":", "c": {"d:": ":"}}',
            b'{"\\"a\\":": 1, "\\\\": ":"}',
            b'[":", ":", [":"]]',
        ],
    )
    def test_colons_in_strings_are_no_keys(self, raw: bytes) -> None:
        assert parse(raw) == json.loads(raw)

    def test_names_the_duplicate_key(self) -> None:
        assert refused(b'{"x": {"name": 1, "n\\u0061me": 2}}').place == "name"

    @pytest.mark.parametrize(
        "word", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b'"\\ud800"', b'"\\udc00x"']
    )
    def test_nan_infinity_overflow_and_lone_surrogates(self, word: bytes) -> None:
        assert refused(b'{"a": ' + word + b"}").code == "json_invalid"

    @pytest.mark.parametrize(
        "raw", [b"\xff\xfe{\x00}\x00", b'\xef\xbb\xbf{"a": 1}', b'{"a": "\xc0\x80"}', b"", b" "]
    )
    def test_other_encodings_and_no_text_at_all(self, raw: bytes) -> None:
        assert refused(raw).code == "json_invalid"

    def test_says_where_the_text_breaks(self) -> None:
        assert "line 2, column" in refused(b'{"a": 1,\n "b" 2}').message

    @pytest.mark.parametrize("raw", [b"[" * 500, b"[" * 200_000, b'{"a":' * 700])
    def test_brackets_without_end(self, raw: bytes) -> None:
        assert refused(raw).code in ("json_invalid", "too_deep")
        assert "memory" not in refused(raw).message

    @pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 500, 1024, 1025, 200_000])
    @pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")])
    def test_too_deep(self, depth: int, begin: str, end: str) -> None:
        raw = (begin * depth + "1" + end * depth).encode()
        assert refused(raw).code == "too_deep"

    def test_as_deep_as_allowed(self) -> None:
        assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None

    @pytest.mark.parametrize("number", ["9007199254740992", "-9007199254740992", "1e17", "-1e300", "9" * 400])
    def test_numbers_beyond_those_that_a_double_carries(self, number: str) -> None:
        assert refused(f'{{"a": [0, {number}]}}'.encode()).code in ("number_too_large", "json_invalid")

    @pytest.mark.parametrize("number", ["1e-65", "-1e-70", "1e-300", "5e-324"])
    def test_numbers_that_jsonb_would_write_with_hundreds_of_digits(self, number: str) -> None:
        error = refused(f'{{"a": [0, {number}]}}'.encode())
        assert (error.place, error.code) == ("a[1]", "number_too_small")

    @pytest.mark.parametrize(("text", "number"), [("-0", 0), ("-0.0", 0), ("6.0", 6), ("1E2", 100), ("0.5", 0.5)])
    def test_whole_numbers_are_integers_however_they_are_written(self, text: str, number: float) -> None:
        [parsed] = parse(f"[{text}]".encode())
        assert parsed == number
        assert type(parsed) is type(number)
        assert math.copysign(1, parsed) == 1

    def test_the_largest_integers(self) -> None:
        assert parse(b"[9007199254740991, -9007199254740991]") == [2**53 - 1, 1 - 2**53]

    @pytest.mark.parametrize(
        ("value", "place", "code"),
        [
            ({"a": {"b": ["x", "\0"]}}, "a.b[1]", "null_character"),
            ({"a": [{"\0": 1}]}, "a[0]", "null_character"),
            ({"a": [{"k": 2**53}]}, "a[0].k", "number_too_large"),
            ({"a": ["x" * MAX_STRING, "x" * (MAX_STRING + 1)]}, "a[1]", "string_too_long"),
            ({"a": {"x" * (MAX_STRING + 1): 1}}, "a", "string_too_long"),
        ],
    )
    def test_names_the_place(self, value: Any, place: str, code: str) -> None:
        error = refused(orjson.dumps(value))
        assert (error.place, error.code) == (place, code)

    def test_places_stay_short(self) -> None:
        error = refused(orjson.dumps({"k" * 5000: {"k" * 5000: {"l" * 5000: {"m" * 5000: {"n" * 5000: "\0"}}}}}))
        assert len(error.place) <= 300


class TestBodies:
    """Over HTTP."""

    @pytest.mark.parametrize(
        ("body", "field", "code"),
        [
            (b'{"name": NaN}', "", "json_invalid"),
            (b'{"name": "\\ud800"}', "", "json_invalid"),
            (b'{"name": "a", "n\\u0061me": "b"}', "name", "duplicate_key"),
            (b'{"name": "a\\u0000"}', "name", "null_character"),
            (b'{"na\\u0000me": "a"}', "", "null_character"),
            (b'{"name": 1e999}', "", "json_invalid"),
            (b"[" * 200_000, "", "json_invalid"),
            (b"[" * 33 + b"]" * 33, "[0]" * 32, "too_deep"),
        ],
    )
    async def test_refused_with_the_place(self, owner: Person, body: bytes, field: str, code: str) -> None:
        answer = await owner.client.post("/universes", content=body, headers=JSON)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        [error] = answer.json()["errors"]
        assert error["field"] == field
        assert error["code"] in (code, "too_deep")

    async def test_deep_json_does_not_reach_the_owners_list(self, owner: Person) -> None:
        universe = await owner.universe()
        for depth in (33, 500, 200_000):
            # The body and grid_data are two of the levels.
            grid = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
            body = b'{"name": "Deep", "universe_id": "%s", "grid_data": %s}' % (universe["id"].encode(), grid)
            assert (await owner.client.post("/maps", content=body, headers=JSON)).status_code in (413, 422)
        maps = await owner.client.get("/maps", params={"universe_id": universe["id"]})
        assert maps.status_code == 200
        assert maps.json()["items"] == []

    @pytest.mark.parametrize("number", [b"9007199254740992", b"-1e18", b"9" * 400])
    async def test_integers_beyond_53_bits_in_a_grid(self, owner: Person, number: bytes) -> None:
        universe = await owner.universe()
        body = b'{"name": "N", "universe_id": "%s", "grid_data": {"n": %s}}' % (universe["id"].encode(), number)
        assert (await owner.client.post("/maps", content=body, headers=JSON)).status_code == 422

    @pytest.mark.parametrize(
        ("grid", "place"),
        [({"a": ["\0"]}, "grid_data.a[0]"), ({"b": {"\0": 1}}, "grid_data.b"), ({"\0": 1}, "grid_data")],
    )
    async def test_a_null_character_in_a_grid(self, owner: Person, grid: dict[str, Any], place: str) -> None:
        made = await owner.map()
        answer = await owner.client.patch(f"/maps/{made['id']}", json={"grid_data": grid})
        assert answer.status_code == 422
        [error] = answer.json()["errors"]
        assert (error["field"], error["code"]) == (place, "null_character")
        assert (await owner.client.get(f"/maps/{made['id']}")).json() == made

    async def test_thousands_of_unknown_fields_cost_nothing(self, client: httpx2.AsyncClient) -> None:
        body = orjson.dumps({f"field {number}": number for number in range(100_000)})
        answer = await client.post("/auth/register", content=body, headers=JSON)
        assert answer.status_code == 422
        assert [error["code"] for error in answer.json()["errors"]] == ["too_many_fields"]
        assert MAX_FIELDS == 100

    async def test_a_form_with_a_null_character(self, client: httpx2.AsyncClient) -> None:
        answer = await client.post("/auth/jwt/login", data={"username": "a\0@example.com", "password": "12345678"})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "username"

    async def test_a_form_that_is_not_utf_8(self, client: httpx2.AsyncClient) -> None:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await client.post("/auth/jwt/login", content=b"username=%ff%fe&password=1", headers=headers)
        assert answer.status_code in (400, 422)
