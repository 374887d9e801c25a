"""What players and spectators may see of a map's document without fog: everything except its secrets.

What is a secret:

| where | key | players get |
|---|---|---|
| a layer | `visible_to` | not the layer, and none of its cells |
| an entity, wall, door, light | `hidden` | not the thing |
| a door that is not open | `secret` | a wall in its place |
| anywhere below | `gm`, and what importers keep of other programs: `tiled`, `ldtk`, `uvtt` | not the key |
| a legend entry | | not the entry, if no cell of the layers shown has its symbol |
| a wall | all but its ends and `blocks_movement`, `blocks_sight` | ends and both flags, always stated |
| the document | `fog` | not the key: only the server sends it |

"Anywhere" is the document, a legend entry, a layer, an entity, a wall, a door, a light and the background: each at
its top level. `properties` and a game's own keys are not inspected: they are kept unchanged, and so are
descriptions and a layer's `visible: false`, which are not secrets.

`visible_to`, `hidden` and `secret` are checked when they are written. If older data has other values, everything
except an absent or false value hides.

Walls are merged: pieces that continue or cover each other on one line and block the same are one, in ascending
order. So a secret door in a gap of a wall, or drawn over one, cannot be distinguished from the wall.

Empty lists are left out, whether they were empty or all items are hidden, so that the first hidden entity of a map
changes nothing that players get.

Everything here takes parsed JSON of valid documents, or frames of stored maps (`game.grid.chunks`), does not
modify it, and returns new objects that share the unchanged parts.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from game.grid.chunks import ROWS_MARK, Frame
from game.grid.document import EMPTY
from game.grid.segments import Piece, merge, piece

IMPORTERS_KEYS: Final = frozenset({"tiled", "ldtk", "uvtt"})
WITHHELD_KEYS: Final = frozenset({"gm"}) | IMPORTERS_KEYS
"""Keys that players never get, at the top level of a document or of anything in its lists."""

_Thing = Mapping[str, Any]


class _EverySymbol:
    def __contains__(self, _: Any) -> bool:
        return True


EVERY_SYMBOL: Final = _EverySymbol()
"""Used instead of the symbols in use: keeps the whole legend."""


class PlayersDocument(NamedTuple):
    """The frame that players get, and the keys of the layers whose chunks they get."""

    frame: Frame
    layers: frozenset[int]


def players_document(frame: _Thing, used: Container[str]) -> PlayersDocument:
    """The frame of a stored map as players get it.

    `used` are the symbols of the legend that the cells of the layers shown (`shown_layers`) use: `symbols_of` all
    their chunks, together. In the result `rows` are numbers as they were in `frame`, so `chunks.join` can build
    the document from it, with the chunks of `layers`.
    """
    shown = players_keys(frame)
    shown.pop("fog", None)
    lists = {
        "layers": _each(players_layer, frame.get("layers", ())),
        "legend": players_legend(frame.get("legend", ()), used),
        "entities": _each(players_entity, frame.get("entities", ())),
        "walls": players_walls(frame),
        "doors": _each(players_door, frame.get("doors", ())),
        "lights": _each(players_light, frame.get("lights", ())),
    }
    for key, items in lists.items():
        if items:
            shown[key] = items
        else:
            shown.pop(key, None)
    if "background" in frame:
        shown["background"] = players_keys(frame["background"])
    return PlayersDocument(shown, shown_layers(frame))


def shown_layers(frame: _Thing) -> frozenset[int]:
    """The keys of the layers with rows whose cells players get."""
    layers = frame.get("layers", ())
    return frozenset(
        layer["rows"] - ROWS_MARK for layer in layers if "rows" in layer and not layer_is_hidden(layer)
    )


def symbols_of(rows: Iterable[str]) -> str:
    """The symbols in use in rows, without the empty cell's, in ascending order."""
    return "".join(sorted(set().union(*rows) - {EMPTY}))


def players_keys(thing: _Thing) -> dict[str, Any]:
    """An object of a document, or changes of one, without the keys for game masters."""
    return {key: value for key, value in thing.items() if key not in WITHHELD_KEYS}


def layer_is_hidden(layer: _Thing) -> bool:
    """Whether a layer is for game masters only."""
    return "visible_to" in layer


def is_hidden(thing: _Thing) -> bool:
    """Whether an entity, wall, door or light is for game masters only."""
    return thing.get("hidden", False) is not False


def is_disguised(door: _Thing) -> bool:
    """Whether players see a wall instead of a door: it is secret, and not open."""
    return door.get("secret", False) is not False and door.get("state", "closed") != "open"


def players_layer(layer: _Thing) -> dict[str, Any] | None:
    """A layer as players get it, with unchanged `rows`; None for a hidden one."""
    return None if layer_is_hidden(layer) else players_keys(layer)


def players_legend(legend: Sequence[_Thing], used: Container[str]) -> list[dict[str, Any]]:
    """The entries of a legend whose symbols are used, as players get them."""
    return [players_keys(entry) for entry in legend if entry["symbol"] in used]


def players_entity(entity: _Thing) -> dict[str, Any] | None:
    """An entity as players get it; None for a hidden one."""
    return None if is_hidden(entity) else players_keys(entity)


def players_light(light: _Thing) -> dict[str, Any] | None:
    """A light as players get it; None for a hidden one."""
    return None if is_hidden(light) else players_keys(light)


def players_door(door: _Thing) -> dict[str, Any] | None:
    """A door as players get it; None for a hidden one, and for one that is a wall to them (`players_wall`)."""
    return None if is_hidden(door) or is_disguised(door) else players_keys(door)


def players_wall(item: _Thing) -> Piece | None:
    """The wall that players get for a wall, or for a door that is disguised as one; None for a hidden one.

    It must be merged with all others (`players_walls`), because a single one reveals how the wall was drawn.
    """
    if is_hidden(item):
        return None
    sides = item.get("blocks_movement", True), item.get("blocks_sight", True)
    return piece(item["x1"], item["y1"], item["x2"], item["y2"], *sides)


def players_pieces(document: _Thing) -> list[Piece]:
    """All pieces of wall that players see on a map, merged: walls, and doors that are disguised as walls."""
    disguised = [door for door in document.get("doors", ()) if is_disguised(door)]
    return merge(filter(None, map(players_wall, [*document.get("walls", ()), *disguised])))


def players_walls(document: _Thing) -> list[dict[str, Any]]:
    """The list `walls` of a document as players get it."""
    return [one._asdict() for one in players_pieces(document)]


def _each(show: Callable[[_Thing], dict[str, Any] | None], items: Iterable[_Thing]) -> list[dict[str, Any]]:
    return [shown for item in items if (shown := show(item)) is not None]
