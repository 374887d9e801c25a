"""Edits of entities, walls, doors and lights: put, update, move and remove."""

from typing import Any

from game.grid.edits.editor import Editor, apply_merge_patch
from game.grid.edits.fields import KINDS, Edit, fault


def put(editor: Editor, edit: Edit, place: str) -> None:
    """Add an object, or replace the one with its id; an object without an id gets a new one."""
    kind = edit["op"].removeprefix("put_")
    item = dict(edit[kind])
    if "id" not in item:
        item["id"] = editor.new_id()
    _store(editor, kind, item, f"{place}.{kind}")


def update(editor: Editor, edit: Edit, place: str) -> None:
    """Change keys of an object by a merge patch."""
    kind = edit["op"].removeprefix("update_")
    if edit["changes"].get("id", edit["id"]) != edit["id"]:
        raise fault(
            f"{place}.changes.id", "unknown_field", "cannot be changed here: add a new one, and remove this one"
        )
    before = _named(editor, kind, edit, place)
    _store(editor, kind, apply_merge_patch(before, edit["changes"]), f"{place}.changes")


def move_entity(editor: Editor, edit: Edit, place: str) -> None:
    """Move an entity to another cell."""
    before = _named(editor, "entity", edit, place)
    _store(editor, "entity", {**before, "x": edit["x"], "y": edit["y"]}, place)


def remove(editor: Editor, edit: Edit, place: str) -> None:
    """Remove an object."""
    kind = edit["op"].removeprefix("remove_")
    editor.draft.put(KINDS[kind], _named(editor, kind, edit, place), None)


def _named(editor: Editor, kind: str, edit: Edit, place: str) -> Any:
    """The object with the id in an edit."""
    before = editor.draft.items(KINDS[kind]).get(edit["id"])
    if before is None:
        raise fault(f"{place}.id", "not_found", f"is not the id of a {kind} on this map")
    return before


def _store(editor: Editor, kind: str, item: dict[str, Any], place: str) -> None:
    """Add an object to its list, or replace the one with its id, after validating it."""
    name = KINDS[kind]
    document: dict[str, Any] = {name: [item]}
    for side, cells in (("width", editor.canvas.width), ("height", editor.canvas.height)):
        # A game may store maps with entities, but without cells.
        if cells or side in editor.draft.frame:
            document[side] = cells
    editor.check(document, f"{name}[0]", place)
    before = editor.draft.items(name).get(item["id"])
    if before is None:
        editor.check_room(name, place)
    editor.draft.put(name, before, item)
