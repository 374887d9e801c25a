"""The edits of a map that clients send: their rules, and what they do to its frame and chunks.

Each edit is an object with an `op`; the table `fields.FIELDS` lists the ops and their fields. All edits of a
request are applied in order, or none. They request only the chunks that they touch: those of `set`,
`fill_rectangle` and `paste` at once for the whole request, those of `flood_fill` while it spreads, and whole
layers for `replace`, `remove_layer`, `remove_legend_entry` and `resize`. Their total cost is limited (`budget`),
and computed before they are applied.

Cells, rectangles and pasted rows must be on the map, and every symbol must be the space or in the legend.
`put_...` replaces the object with that id as a whole (keys that it does not contain are removed), or adds it;
without an id it gets a new one. All `update_...` take JSON merge patches (RFC 7396): only the keys that they
contain change, at any depth, and null removes a key. `update_map` changes the document's own keys, including those
of a game, except its size and its lists, for which there are other edits. `update_legend` adds entries that are
new at `index`, or at the end. `remove_legend_entry` is refused while a cell has the symbol. `resize` is a crop as
in Tiled: cells, entities, lights, walls and doors outside the new size are removed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, TypeAlias

import orjson

from game.grid.canvas import Steps, TooCostly
from game.grid.changes import Draft, Edited
from game.grid.chunks import Frame
from game.grid.document import DEFAULT_LIMITS, Limits
from game.grid.edits import cells, things
from game.grid.edits import frame as frames
from game.grid.edits.budget import MAX_CHUNKS, stated
from game.grid.edits.editor import Editor
from game.grid.edits.fields import KINDS, Edit, fault, parsed

_Op: TypeAlias = Callable[[Editor, Edit, str], Steps[None] | None]
_OPS: Final[Mapping[str, _Op]] = {
    "set": cells.set_cells,
    "fill_rectangle": cells.fill_rectangle,
    "flood_fill": cells.flood_fill,
    "paste": cells.paste,
    "replace": cells.replace,
    **{f"put_{kind}": things.put for kind in KINDS},
    **{f"update_{kind}": things.update for kind in KINDS},
    **{f"remove_{kind}": things.remove for kind in KINDS},
    "move_entity": things.move_entity,
    "add_layer": frames.add_layer,
    "update_layer": frames.update_layer,
    "remove_layer": frames.remove_layer,
    "move_layer": frames.move_layer,
    "update_legend": frames.update_legend,
    "remove_legend_entry": frames.remove_legend_entry,
    "update_map": frames.update_map,
    "resize": frames.resize,
}


def apply(
    frame: Frame,
    width: int,
    height: int,
    edits: Sequence[Edit],
    new_id: Callable[[], str],
    limits: Limits = DEFAULT_LIMITS,
) -> Steps[Edited]:
    """Apply edits to a map; a generator that yields the chunks it needs and returns what to store (`Edited`).

    Takes the map's valid frame and size in cells, the edits as parsed JSON, and a function that makes an id.
    The frame is not modified. Raises GridError, whose violation names the first fault: `edits[3].cells[0].x`; or
    just `edits`, when together they make the frame larger than `limits.max_frame`.
    """
    if not isinstance(edits, list):
        raise fault("edits", "wrong_type", "must be a list")
    editor = Editor(Draft(frame, width, height, MAX_CHUNKS), new_id, limits)
    known = [parsed(edit, f"edits[{index}]") for index, edit in enumerate(edits)]
    for index, edit in enumerate(known):
        with _bounded(f"edits[{index}]"):
            editor.budget.spend(stated(edit))
    with _bounded("edits"):
        yield from editor.canvas.want({key for edit in known for key in cells.reached(editor, edit)})
    for index, edit in enumerate(known):
        place = f"edits[{index}]"
        with _bounded(place):
            # For layers that previous edits added or renamed.
            yield from editor.canvas.want(cells.reached(editor, edit))
            steps = _OPS[edit["op"]](editor, edit, place)
            if steps is not None:
                yield from steps
    with _bounded("edits"):
        edited = editor.draft.finished()
    if edited.frame is not None and (much := _bytes(edited.frame)) > limits.max_frame and much > _bytes(frame):
        message = f"make the map too large: all but its rows is at most {limits.max_frame:,} bytes of JSON"
        raise fault("edits", "too_large", message)
    return edited


@contextmanager
def _bounded(place: str) -> Iterator[None]:
    """Convert TooCostly into a GridError that names the place of the edit."""
    try:
        yield
    except TooCostly as error:
        raise fault(place, "too_costly", str(error)) from None


def _bytes(frame: Frame) -> int:
    return len(orjson.dumps(frame))
