"""What players get of a stored map without fog: prepared when the map is written, assembled when it is read.

Ready are a frame without secrets, its layers, and its legend apart: which entries players get depends on the
cells, which change far more often than the frame. A read drops the entries that no shown cell uses and joins
strings, as it does for a game master.
"""

import re
from collections.abc import Collection, Sequence

import orjson

from game.grid.chunks import ROWS_MARK, Frame
from game.grid.player_view import EVERY_SYMBOL, players_document

_LEGEND = re.compile(rf'(, )?"legend": {ROWS_MARK}(, )?(?=["}}])')
_SYNTAX = frozenset('[], "\\')
"""Symbols that JSON text contains in addition to those of the cells."""


def players_columns(frame: Frame) -> tuple[Frame, list[str], list[int]]:
    """What is stored of a frame for players: the frame that they get, with a placeholder for its legend; the
    legend, as symbol and JSON text in turn; and the keys of the layers that they get."""
    shown, layers = players_document(frame, EVERY_SYMBOL)
    legend = shown.get("legend", ())
    texts = [text for entry in legend for text in (entry["symbol"], orjson.dumps(entry).decode())]
    return ({**shown, "legend": ROWS_MARK} if legend else shown), texts, sorted(layers)


def with_legend(frame_text: str, legend: Sequence[str], rows: Collection[str]) -> str:
    """The text of a players' frame with the legend entries that cells use.

    `rows` are the JSON texts of all chunks of the layers that players get.
    """
    used = [text for symbol, text in zip(legend[::2], legend[1::2], strict=True) if _is_used(symbol, rows)]

    def replace(match: re.Match[str]) -> str:
        before, after = match.groups(default="")
        if used:
            return f'{before}"legend": [{", ".join(used)}]{after}'
        return ", " if before and after else ""

    return _LEGEND.sub(replace, frame_text, count=1)


def _is_used(symbol: str, rows: Collection[str]) -> bool:
    if symbol in _SYNTAX:
        return any(symbol in row for text in rows for row in orjson.loads(text))
    return any(symbol in text for text in rows)
