"""The order of turns: ties, rounds, the hidden, the defeated, delayed turns, effects."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from game.encounters.turns import Turn, Turns, advance, begin, change_combatants, in_order


def one(name: str, initiative: float | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "id": name,
        "initiative": initiative,
        "initiative_bonus": 0,
        "tiebreak": 0,
        "hidden": False,
        "defeated": False,
        "effects": [],
        **fields,
    }


def turns_of(combatants: list[dict[str, Any]], count: int) -> list[tuple[int, str | None]]:
    turns = begin(combatants).turns
    found = [(turns.now.round, turns.now.combatant)]
    for _ in range(count - 1):
        turns = advance(combatants, turns).turns
        found.append((turns.now.round, turns.now.combatant))
    return found


class TestOrder:
    def test_initiative_then_bonus_then_the_roll(self) -> None:
        listed = [
            one("none"),
            one("low", -3),
            one("a", 12, initiative_bonus=1, tiebreak=5),
            one("b", 12, initiative_bonus=1, tiebreak=9),
            one("c", 12, initiative_bonus=3),
            one("d", 12.5),
        ]
        assert [item["id"] for item in in_order(listed)] == ["d", "c", "b", "a", "low", "none"]

    def test_rounds(self) -> None:
        listed = [one("b", 5), one("a", 10)]
        assert turns_of(listed, 4) == [(1, "a"), (1, "b"), (2, "a"), (2, "b")]
        assert turns_of([one("a", 1)], 3) == [(1, "a"), (2, "a"), (3, "a")]

    def test_the_defeated_take_no_turns(self) -> None:
        listed = [one("a", 10, defeated=True), one("b", 5), one("c", 3, defeated=True)]
        assert turns_of(listed, 3) == [(1, "b"), (2, "b"), (3, "b")]
        all_of_them = [{**item, "defeated": True} for item in listed]
        assert turns_of(all_of_them, 4) == [(1, "a"), (1, "b"), (1, "c"), (2, "a")]

    @given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), min_size=1, max_size=6), st.data())
    def test_each_combatant_has_one_turn_per_round(
        self, made: list[tuple[int, bool, bool]], data: st.DataObject
    ) -> None:
        listed = [
            one(str(n), initiative, hidden=hidden, defeated=defeated)
            for n, (initiative, hidden, defeated) in enumerate(made)
        ]
        takers = {item["id"] for item in listed if not item["defeated"]} or {item["id"] for item in listed}
        found = turns_of(listed, 3 * len(takers))
        for number in range(3):
            some = found[number * len(takers) : (number + 1) * len(takers)]
            assert {turn for _, turn in some} == takers
            assert {round for round, _ in some} == {number + 1}


class TestShown:
    def test_hidden_turns_are_none(self) -> None:
        """What players are shown is as if the hidden were not there."""
        listed = [one("H", 20, hidden=True), one("a", 10), one("G", 9, hidden=True), one("b", 5)]
        visible = [item for item in listed if not item["hidden"]]
        turns = begin(listed).turns
        shown = [turns.shown]
        for _ in range(8):
            turns = advance(listed, turns).turns
            if turns.shown != shown[-1]:
                shown.append(turns.shown)
        assert [tuple(turn) for turn in shown] == turns_of(visible, len(shown))

    def test_nobody_is_visible(self) -> None:
        turns = begin([one("H", 20, hidden=True)]).turns
        assert turns == Turns(Turn(1, "H"), Turn(1, None))

    def test_a_combatant_that_is_hidden_on_its_turn(self) -> None:
        before = [one("a", 10), one("b", 5)]
        turns = advance(before, begin(before).turns).turns
        after = [before[0], {**before[1], "hidden": True}]
        assert change_combatants(before, after, turns).turns == Turns(Turn(1, "b"), Turn(1, "a"))


class TestResettle:
    def test_a_delayed_turn(self) -> None:
        before = [one("a", 20), one("b", 15), one("c", 10)]
        after = [one("a", 12), *before[1:]]
        turns = change_combatants(before, after, begin(before).turns).turns
        found = [turns.now]
        for _ in range(4):
            turns = advance(after, turns).turns
            found.append(turns.now)
        assert [tuple(turn) for turn in found] == [(1, "b"), (1, "a"), (1, "c"), (2, "b"), (2, "a")]

    def test_changes_of_other_combatants_keep_the_turn(self) -> None:
        before = [one("a", 20), one("b", 15)]
        assert change_combatants(before, [before[0], one("b", 25)], begin(before).turns).turns.now == (1, "a")

    def test_a_combatant_that_is_removed_on_its_turn(self) -> None:
        before = [one("a", 20), one("b", 15), one("c", 10)]
        turns = begin(before).turns
        assert change_combatants(before, before[1:], turns).turns.now == (1, "b")
        last = advance(before, advance(before, turns).turns).turns
        assert change_combatants(before, before[:2], last).turns.now == (2, "a")
        gone = change_combatants(before, [], turns).turns
        assert gone.now == (1, None)
        assert change_combatants([], before, gone).turns.now == (1, "a")


class TestEffects:
    def test_they_count_down_when_the_turn_begins(self) -> None:
        effects = [{"name": "bless", "rounds": 2}, {"name": "prone"}, {"name": "shield", "rounds": 1}]
        listed = [one("a", 10, effects=[{"name": "haste", "rounds": 3}]), one("b", 5, effects=effects)]
        step = begin(listed)
        assert step.effects == {"a": [{"name": "haste", "rounds": 2}]}
        step = advance(listed, step.turns)
        assert step.effects == {"b": [{"name": "bless", "rounds": 1}, {"name": "prone"}]}
        assert advance([one("a", 10), listed[1]], step.turns).effects == {}
