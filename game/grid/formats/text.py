"""Plain text maps: each line is a row, each character a cell."""

import string
import unicodedata
from typing import Any, Final

from game.grid.document import EMPTY, Limits, size
from game.grid.formats.imported import Document, FormatError, ImportedMap, Notes
from game.grid.formats.legend import (
    FIRST_PRIVATE,
    LAST_PRIVATE,
    USUAL,
    Legend,
    is_symbol,
    stable_color,
    usual_symbol,
)
from game.grid.formats.uploads import Uploads

TAB: Final = 8
_CHARACTERS: Final = string.ascii_letters + string.digits + "@$;?()[]{}'`\\"


def read_text(data: bytes, name: str, uploads: Uploads, limits: Limits) -> ImportedMap:
    """Import a text map: one layer, and a legend guessed from the usual meanings of characters.

    Short lines are padded with empty cells, tabs expanded to the next multiple of TAB. A character that cannot be
    a symbol (such as an emoji) is replaced by a private use character. Raises FormatError with the line.
    """
    lines = _lines(data, uploads.notes)
    width = max(map(len, lines), default=0)
    for side, what in ((width, "columns"), (len(lines), "lines")):
        if side > limits.max_size:
            raise FormatError("", f"has {side} {what}; a map has at most {limits.max_size}")
    uploads.count_cells(width, len(lines), "")
    if any(len(line) != width for line in lines):
        uploads.notes.add("LINES_FILLED_UP", "", f"Short lines were padded to {width} cells.")
    legend = Legend(limits)
    symbols = {EMPTY: EMPTY}
    for character in sorted(set("".join(lines)) - {EMPTY}):
        symbols[character] = legend.add(_guess(character), character, "")
    table = str.maketrans(symbols)
    document: Document = {
        "width": width,
        "height": len(lines),
        "legend": legend.entries,
        "layers": [{"name": "ground", "rows": [line.translate(table).ljust(width) for line in lines]}],
    }
    return ImportedMap(name, "", document, {})


def _guess(character: str) -> dict[str, Any]:
    if character in USUAL:
        return dict(USUAL[character])
    return {"name": unicodedata.name(character, character).lower(), "color": stable_color(character)}


def _lines(data: bytes, notes: Notes) -> list[str]:
    """The lines, without characters that are not cells: line ends, tabs, byte order marks, combining marks."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FormatError(f"line {line}", "is not UTF-8 text") from None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if "\t" in text:
        lines = [line.expandtabs(TAB) for line in lines]
        notes.add("TABS_EXPANDED", "", f"Tabs were replaced by spaces, up to the next multiple of {TAB}.")
    lines = [
        line
        if line.isascii() and line.isprintable()
        else "".join(_cell(character, number, notes) for character in line)
        for number, line in enumerate(lines, 1)
    ]
    lines = [line.rstrip(EMPTY) for line in lines]
    while lines and not lines[-1]:
        del lines[-1]
    return lines


def _cell(character: str, number: int, notes: Notes) -> str:
    if is_symbol(character) or character == EMPTY:
        return character
    category = unicodedata.category(character)
    if category[0] == "Z":
        return EMPTY
    if category in ("Cc", "Cs", "Cn"):
        raise FormatError(f"line {number}", f"has the character U+{ord(character):04X}, which maps cannot contain")
    if category[0] == "M" or category == "Cf":
        notes.add(
            "MARK_LOST", f"line {number}", f"The mark U+{ord(character):04X} cannot be a cell, and was left out."
        )
        return ""
    return character


def write_text(document: Document, notes: Notes) -> bytes:
    """Export a map as UTF-8 text: the topmost visible cell at each position.

    Private use characters, which no font shows, are replaced by others.
    """
    width, height = size(document)
    layers = [layer for layer in document.get("layers", []) if layer.get("visible", True) and "rows" in layer]
    rows = [EMPTY * width] * height
    for layer in layers:
        rows = [_over(row, under) for row, under in zip(layer["rows"], rows, strict=True)]
    if len(layers) > 1:
        notes.add("LAYERS_FLATTENED", "layers", f"{len(layers)} layers were drawn over each other.")
    lost = ("entities", "walls", "doors", "lights", "background", "properties")
    for key in (key for key in lost if document.get(key)):
        notes.add(f"{key.upper()}_LOST", key, f"Plain text has no {key}.")
    rows = _readable(rows, document, notes)
    return "".join(row.rstrip() + "\n" for row in rows).encode()


def _over(row: str, under: str) -> str:
    if EMPTY not in row:
        return str(row)
    return "".join(below if above == EMPTY else above for above, below in zip(row, under, strict=True))


def _readable(rows: list[str], document: Document, notes: Notes) -> list[str]:
    used = set().union(*rows)
    private = {symbol for symbol in used if FIRST_PRIVATE <= ord(symbol) <= LAST_PRIVATE}
    names = {entry["symbol"]: str(entry.get("name", "")) for entry in document.get("legend", [])}
    unused = iter([character for character in _CHARACTERS if character not in used])
    taken = used - private
    table = {}
    for symbol in sorted(private):
        preferred = usual_symbol(names.get(symbol, ""))
        chosen = (
            preferred
            if preferred and preferred not in taken
            else next((c for c in unused if c not in taken), None)
        )
        if chosen:
            table[ord(symbol)] = chosen
            taken.add(chosen)
    if private:
        pairs = ", ".join(f"{chosen} = {names.get(chr(symbol), '')}" for symbol, chosen in table.items())
        notes.add("SYMBOLS_REPLACED", "legend", f"Symbols from the private use area were replaced: {pairs}"[:1000])
    if len(table) < len(private):
        notes.add(
            "SYMBOLS_UNREADABLE",
            "legend",
            "There are more symbols from the private use area than characters to replace them.",
        )
    return [row.translate(table) for row in rows]
