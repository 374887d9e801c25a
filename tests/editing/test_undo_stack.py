"""Undo and redo against plain stacks: what is next, and what is refused."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from game.editing.undo_stack import Step, in_effect, stacks
from game.grid.canvas import unpack
from game.grid.changes import Change, inverse, overlaps
from tests.grid.maps import Store, edits, maps

SIDE = 7
PEOPLE = ("Ada", "Bo")


class Table:
    """A map that people edit, with its log: undo and redo as the endpoints do them, by `stacks` and `net`."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.store = Store(document)
        self.log: list[tuple[str, Step, Change]] = []

    def edit(self, person: str, *requests: dict[str, Any]) -> int | None:
        """The number of the event; None when nothing changed."""
        if not (change := self.store.edit(*requests)):
            return None
        return self._record(person, "map.edited", None, change)

    def turn(self, person: str, kind: str) -> int | None:
        """The number of the edit that was undone or redone, 0 where others overlap; None when there is none."""
        turns = stacks(step for who, step, _ in self.log if who == person)[kind == "map.redone"]
        if not turns:
            return None
        edit, last, _ = turns[-1]
        change = self.log[edit - 1][2]
        later = in_effect(step for _, step, _ in self.log[last:])
        if any(overlaps(change, self.log[seq - 1][2]) for seq in later):
            return 0
        self._record(person, kind, edit, self.store.replay(inverse(change) if kind == "map.undone" else change))
        return edit

    def _record(self, person: str, kind: str, of: int | None, change: Change) -> int:
        self.log.append((person, Step(len(self.log) + 1, kind, of), change))
        return len(self.log)


def floor() -> dict[str, Any]:
    legend = [{"symbol": symbol} for symbol in "abcdefgh."]
    return {"legend": legend, "layers": [{"name": "ground", "rows": ["." * SIDE] * SIDE}]}


@st.composite
def fills(draw: st.DrawFn, left: int = 0, right: int = SIDE) -> dict[str, Any]:
    x, y = draw(st.integers(left, right - 1)), draw(st.integers(0, SIDE - 1))
    width, height = draw(st.integers(1, right - x)), draw(st.integers(1, SIDE - y))
    symbol = draw(st.sampled_from("abcdefgh."))
    return {
        "op": "fill_rectangle",
        "layer": "ground",
        "x": x,
        "y": y,
        "width": width,
        "height": height,
        "symbol": symbol,
    }


ACTIONS = st.sampled_from(["edit", "edit", "map.undone", "map.undone", "map.redone", "map.redone"])


@given(st.data())
def test_one_user_can_undo_and_redo_like_in_any_editor(data: st.DataObject) -> None:
    """Any edits, of cells, things, layers, legend and size: undo and redo are never refused."""
    table = Table(data.draw(maps()))
    states, at = [table.store.document()], 0
    for action in data.draw(st.lists(ACTIONS, max_size=25)):
        if action == "edit":
            if table.edit("Ada", data.draw(edits(table.store.document()))) is not None:
                del states[at + 1 :]
                states.append(table.store.document())
                at += 1
        else:
            step = -1 if action == "map.undone" else 1
            possible = 0 <= at + step < len(states)
            assert bool(table.turn("Ada", action)) is possible
            at += step * possible
        # Undo and redo keep the size as numbers, where the first rows of a layer gave it.
        size = {"width": table.store.width, "height": table.store.height}
        assert {**table.store.document(), **size} == {**states[at], **size}


@given(st.data())
def test_people_apart_are_never_refused(data: st.DataObject) -> None:
    table = Table(floor())
    middle = SIDE // 2
    sides = {"Ada": slice(0, middle), "Bo": slice(middle, SIDE)}

    def seen(person: str) -> list[str]:
        return [row[sides[person]] for row in table.store.document()["layers"][0]["rows"]]

    stacks = {person: [seen(person)] for person in PEOPLE}
    at = dict.fromkeys(PEOPLE, 0)
    for person, action in data.draw(st.lists(st.tuples(st.sampled_from(PEOPLE), ACTIONS), max_size=40)):
        if action == "edit":
            if table.edit(person, data.draw(fills(sides[person].start, sides[person].stop))) is not None:
                del stacks[person][at[person] + 1 :]
                stacks[person].append(seen(person))
                at[person] += 1
        else:
            step = -1 if action == "map.undone" else 1
            possible = 0 <= at[person] + step < len(stacks[person])
            assert bool(table.turn(person, action)) is possible
            at[person] += step * possible
        assert {one: seen(one) for one in PEOPLE} == {one: stacks[one][at[one]] for one in PEOPLE}


@given(st.data())
def test_people_mixed(data: st.DataObject) -> None:
    """The map is always what the standing edits painted, one after the other; only overlaps are refused."""
    table = Table(floor())
    standing: list[int] = []
    undone: dict[str, list[int]] = {person: [] for person in PEOPLE}
    mine: dict[str, list[int]] = {person: [] for person in PEOPLE}
    below: dict[int, set[int]] = {}
    """For each undone edit, the overlapping edits that were in effect at that time."""

    def touching(edit: int, others: list[int]) -> set[int]:
        change = table.log[edit - 1][2]
        return {other for other in others if overlaps(change, table.log[other - 1][2])}

    for person, action in data.draw(st.lists(st.tuples(st.sampled_from(PEOPLE), ACTIONS), max_size=40)):
        if action == "edit":
            if (new := table.edit(person, data.draw(fills()))) is not None:
                standing.append(new)
                mine[person].append(new)
                undone[person].clear()
        elif action == "map.undone":
            edit = mine[person][-1] if mine[person] else None
            refused = edit is not None and touching(edit, standing[standing.index(edit) + 1 :])
            assert table.turn(person, action) == (0 if refused else edit)
            if edit is not None and not refused:
                standing.remove(edit)
                below[edit] = touching(edit, standing)
                undone[person].append(mine[person].pop())
        else:
            edit = undone[person][-1] if undone[person] else None
            refused = edit is not None and touching(edit, standing) != below[edit]
            assert table.turn(person, action) == (0 if refused else edit)
            if edit is not None and not refused:
                standing.append(edit)
                mine[person].append(undone[person].pop())
        assert table.store.document()["layers"][0]["rows"] == painted(table, standing)


def painted(table: Table, standing: list[int]) -> list[str]:
    """The floor with the cells on it that edits changed, one edit after the other."""
    cells = [["."] * SIDE for _ in range(SIDE)]
    for edit in standing:
        for part in table.log[edit - 1][2]:
            for x, y, count, _, after in part["runs"]:
                cells[y][x : x + count] = unpack(count, after)
    return ["".join(row) for row in cells]
