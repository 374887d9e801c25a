"""Reads untrusted JSON and XML: with limits, with types, and with the position of each error."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers import expat

import orjson

from game.grid.document import DEFAULT_LIMITS
from game.grid.formats.imported import FormatError, Notes

MAX_INTEGER: Final = 2**53 - 1
MAX_XML_DEPTH: Final = 64
MAX_XML_ELEMENTS: Final = 1_000_000
MAX_KEPT_DEPTH: Final = 16
MAX_COORDINATE: Final = 1e9
"""Pixels or cells: far more than any real map has, and small enough for a double to keep fractions."""
TINY: Final = 1e-64
"""Smaller numbers are replaced by 0, because the API refuses JSON bodies with them."""


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value and its position in the file. Each method returns the requested type or raises FormatError."""

    value: Any
    place: str = ""

    def fail(self, message: str) -> FormatError:
        """A FormatError at this position."""
        return FormatError(self.place, message)

    def at(self, key: str) -> str:
        """The position of a key."""
        return f"{self.place}.{key}" if self.place else key

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def __getitem__(self, key: str) -> "Node":
        """The value of a required key."""
        if not isinstance(self.value, dict):
            raise self.fail("must be an object")
        if self.value.get(key) is None:
            raise FormatError(self.at(key), "is missing")
        return Node(self.value[key], self.at(key))

    def list_of(self, key: str) -> Iterator["Node"]:
        """The objects of a list; none if the key is missing."""
        if not isinstance(self.value, dict):
            raise self.fail("must be an object")
        items, place = self.value.get(key), self.at(key)
        if items is None:
            return
        if not isinstance(items, list):
            raise FormatError(place, "must be a list")
        for index, item in enumerate(items):
            if not isinstance(item, dict):
                raise FormatError(f"{place}[{index}]", "must be an object")
            yield Node(item, f"{place}[{index}]")

    def parts(self, key: str, code: str, notes: Notes) -> Iterator["Node"]:
        """Like `list_of`, but leaves out what is not a list, and items that are not objects, with a warning."""
        items, place = self.value.get(key), self.at(key)
        if items is not None and not isinstance(items, list):
            notes.add(code, place, "This must be a list; it was left out.")
            return
        for index, item in enumerate(items or ()):
            if isinstance(item, dict):
                yield Node(item, f"{place}[{index}]")
            else:
                notes.add(code, f"{place}[{index}]", "This must be an object; it was left out.")

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number from `low` to `high`; `default` if it is missing."""
        if default is not None and key not in self:
            return default
        node = self[key]
        number = int(node.value) if isinstance(node.value, float) and node.value.is_integer() else node.value
        if not isinstance(number, int) or isinstance(number, bool):
            raise node.fail("must be a whole number")
        if not low <= number <= high:
            raise node.fail(f"must be from {low} to {high}")
        return number

    def number(self, key: str, default: float | None = None) -> float:
        """A number, at most MAX_COORDINATE in magnitude."""
        if default is not None and key not in self:
            return default
        node = self[key]
        if not isinstance(node.value, int | float) or isinstance(node.value, bool):
            raise node.fail("must be a number")
        if not -MAX_COORDINATE <= node.value <= MAX_COORDINATE:
            raise node.fail("is out of range")
        return 0 if -TINY < node.value < TINY else node.value

    def text(self, key: str, default: str | None = None, max_length: int = DEFAULT_LIMITS.max_string) -> str:
        """A string of at most `max_length` characters."""
        if default is not None and key not in self:
            return default
        node = self[key]
        if not isinstance(node.value, str):
            raise node.fail("must be a string")
        if len(node.value) > max_length:
            raise node.fail(f"must have at most {max_length} characters")
        return node.value

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        if key not in self:
            return default
        node = self[key]
        if not isinstance(node.value, bool):
            raise node.fail("must be true or false")
        return node.value


def parse_json(data: bytes) -> Node:
    """Parse JSON; refuses NaN, lone surrogates and U+0000. Raises FormatError with the line."""
    try:
        value = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise FormatError(f"line {error.lineno}, column {error.colno}", f"is not JSON: {error.msg}") from None
    if b"\\u0000" in data and _has_nul(value):
        raise FormatError("", "contains the character U+0000")
    return Node(value)


def _has_nul(value: Any) -> bool:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if "\0" in item:
                return True
        elif isinstance(item, dict):
            waiting += item
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return False


_DROPPED: Final = object()


def kept(value: Any, place: str, notes: Notes) -> Any:
    """A copy of data that we do not model, to be stored with the map, without what a document must not contain.

    Strings that are too long, nesting that is too deep and numbers beyond 2^53 are left out, each with a warning.
    """
    result = _kept(value, place, notes, MAX_KEPT_DEPTH)
    return None if result is _DROPPED else result


def _kept(value: Any, place: str, notes: Notes, depth: int) -> Any:
    fault = ""
    if isinstance(value, str) and len(value) > DEFAULT_LIMITS.max_string:
        fault = "is too long to be kept"
    elif isinstance(value, int | float) and not -MAX_INTEGER <= value <= MAX_INTEGER:
        fault = "is a number too large to be kept"
    elif isinstance(value, float) and -TINY < value < TINY:
        return 0
    elif isinstance(value, dict | list) and not depth:
        fault = "is nested too deep to be kept"
    if fault:
        notes.add("NOT_KEPT", place, fault)
        return _DROPPED
    if isinstance(value, dict):
        parts = {
            key: _kept(item, f"{place}.{key}", notes, depth - 1)
            for key, item in value.items()
            if len(key) <= DEFAULT_LIMITS.max_string
        }
        return {key: part for key, part in parts.items() if part is not _DROPPED}
    if isinstance(value, list):
        items = (_kept(item, f"{place}[{index}]", notes, depth - 1) for index, item in enumerate(value))
        return [item for item in items if item is not _DROPPED]
    return value


@dataclass(slots=True)
class Element:
    """An XML element: its attributes, its children in order, its text, and the line where it begins."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list["Element"] = field(default_factory=list)
    text: str = ""


def parse_xml(data: bytes) -> Element:
    """Parse XML; returns the root element.

    Refuses files with entity definitions (billion laughs, external entities). Raises FormatError with line and
    column.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    root = Element("", {}, 1)
    path: list[Element] = [root]
    texts: list[list[str]] = [[]]
    count = 0

    def fail(message: str) -> FormatError:
        return FormatError(f"line {parser.CurrentLineNumber}, column {parser.CurrentColumnNumber + 1}", message)

    def doctype(_name: str, _system: str | None, _public: str | None, has_definitions: bool) -> None:
        # Tiled before 0.9 wrote the address of its DTD, which is never loaded.
        if has_definitions:
            raise fail("has a document type definition, which is not read")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(path) > MAX_XML_DEPTH or count > MAX_XML_ELEMENTS:
            raise fail("has too many elements, or nests them too deep")
        element = Element(tag, attributes, parser.CurrentLineNumber)
        path[-1].children.append(element)
        path.append(element)
        texts.append([])

    def end(_: str) -> None:
        path.pop().text = "".join(texts.pop())

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: texts[-1].append(text)
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        message = expat.errors.messages.get(error.code, "is not well-formed")
        raise FormatError(f"line {error.lineno}, column {error.offset + 1}", f"is not XML: {message}") from None
    except (LookupError, UnicodeError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        # An encoding that Python does not support.
        raise FormatError("line 1", "has an encoding that cannot be read; save it as UTF-8") from None
    return root.children[0]


_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")


def number_from(text: str) -> int | float | None:
    """The finite number in an XML attribute; None if there is none."""
    text = text.strip()
    if _INTEGER.fullmatch(text):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
