"""Converts Tiled's custom properties to a JSON object, and back.

Types that JSON does not distinguish (a colour, a file, a class) are kept next to the values. What Tiled cannot
represent (lists, null, other keys of the map) is packed into one property, PACKED, as JSON text.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from game.grid.document import DEFAULT_LIMITS
from game.grid.formats.imported import FormatError, Notes
from game.grid.formats.strict import MAX_KEPT_DEPTH, Node, kept, parse_json

Json = dict[str, Any]

PACKED: Final = "worldkeep"
_PLAIN: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "color": (str,),
    "file": (str,),
    "object": (int,),
    "class": (dict,),
}


def read_properties(owner: Node, notes: Notes) -> tuple[Json, Json, Json]:
    """An element's custom properties: (values by name, types that JSON does not distinguish, packed data)."""
    values: Json = {}
    types: Json = {}
    packed: Json = {}
    if isinstance(owner.value.get("properties"), dict):
        owner = Node(modern_properties(owner.value, 0), owner.place)
    for node in owner.parts("properties", "NOT_KEPT", notes):
        name = str(node.value.get("name", ""))
        value = node.value.get("value")
        if name == PACKED and isinstance(value, str):
            packed = _unpack(value, node, notes)
        elif value is not None:
            values[name] = kept(value, node.at("value"), notes)
            if spec := _spec(node, value):
                types[name] = kept(spec, node.place, notes)
    return values, types, packed


def modern_properties(value: Any, depth: int = MAX_KEPT_DEPTH) -> Any:
    """A copy of Tiled's JSON with custom properties as in Tiled 1.2 and later, down to `depth` levels.

    Before, `properties` and `propertytypes` were objects.
    """
    if isinstance(value, list) and depth:
        return [modern_properties(item, depth - 1) for item in value]
    if not isinstance(value, dict):
        return value
    if depth:
        untouched = ("properties", "propertytypes", "data")
        value = {
            key: item if key in untouched else modern_properties(item, depth - 1) for key, item in value.items()
        }
    values, types = value.get("properties"), as_object(value.get("propertytypes"))
    if not isinstance(values, dict):
        return value
    properties = [{"name": name, "type": types.get(name), "value": item} for name, item in values.items()]
    for item in properties:
        if not isinstance(item["type"], str):
            del item["type"]
    return {key: item for key, item in value.items() if key != "propertytypes"} | {"properties": properties}


def _unpack(text: str, node: Node, notes: Notes) -> Json:
    try:
        value = kept(parse_json(text.encode()).value, node.place, notes)
    except (FormatError, UnicodeError):
        value = None
    if not isinstance(value, dict):
        notes.add("NOT_KEPT", node.place, f"The property {PACKED!r} is invalid, and was left out.")
        return {}
    return value


def _spec(node: Node, value: Any, depth: int = 0) -> Json | None:
    inferred = _inferred(value) or "string"
    kind = node.value.get("type") if isinstance(node.value.get("type"), str) else inferred
    spec: Json = {"type": kind}
    if isinstance(node.value.get("propertytype"), str):
        spec["propertytype"] = node.value["propertytype"]
    if isinstance(node.value.get("members"), list) and depth < MAX_KEPT_DEPTH:
        members = [
            Node(member, node.at("members")) for member in node.value["members"] if isinstance(member, dict)
        ]
        specs = {
            str(member.value.get("name", "")): _spec(member, member.value.get("value"), depth + 1)
            for member in members
        }
        spec["members"] = {name: member for name, member in specs.items() if member}
    return spec if kind == "float" or len(spec) > 1 or kind != _inferred(value) else None


def _inferred(value: Any) -> str | None:
    for kind in ("string", "bool", "int", "float"):
        if type(value) in _PLAIN[kind]:
            return kind
    return None


def write_properties(values: Any, types: Any, packed: Mapping[str, Any], place: str, notes: Notes) -> list[Json]:
    """The inverse of `read_properties`: custom properties as in TMJ. Any part of the arguments may be invalid."""
    specs = types if isinstance(types, dict) else {}
    result = []
    rest = {}
    for name, value in values.items() if isinstance(values, dict) else ():
        written = _property(name, value, specs.get(name)) if name != PACKED else None
        if written:
            result.append(written)
        else:
            rest[name] = value
    packed = {**packed, "properties": rest} if rest else dict(packed)
    if packed:
        text = orjson.dumps(packed).decode()
        if len(text) <= DEFAULT_LIMITS.max_string:
            result.append({"name": PACKED, "type": "string", "value": text})
        else:
            lost = ", ".join(sorted(packed))
            notes.add("DATA_LOST", place, f"Data that Tiled cannot represent is too long: {lost}"[:300])
    return result


def _property(name: str, value: Any, spec: Any) -> Json | None:
    spec = spec if isinstance(spec, dict) else {}
    kind = spec.get("type")
    if not isinstance(kind, str) or type(value) not in _PLAIN.get(kind, ()):
        kind, spec = _inferred(value), {}
    # Integers in Tiled have 32 bits.
    if kind is None or (type(value) is int and abs(value) >= 1 << 31):
        return None
    result = {"name": name, "type": kind, "value": value}
    if isinstance(spec.get("propertytype"), str):
        result["propertytype"] = spec["propertytype"]
    if kind == "class":
        specs = spec.get("members")
        specs = specs if isinstance(specs, dict) else {}
        members = [_property(member, item, specs.get(member)) for member, item in value.items()]
        if None in members:
            return None
        result["members"] = members
    return result


def tiled_color(color: str) -> str:
    """One of our colours (`#rgb`, `#rrggbb`, `#rrggbbaa`) in Tiled's form: `#rrggbb` or `#aarrggbb`."""
    digits = color.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    return "#" + (digits if len(digits) == 6 else digits[6:] + digits[:6])


def our_color(color: str) -> str:
    """The inverse of `tiled_color`; an opaque colour loses its alpha. Other values are returned unchanged."""
    digits = color.removeprefix("#")
    if len(digits) != 8:
        return "#" + digits
    alpha, rest = digits[:2], digits[2:]
    return "#" + (rest if alpha.lower() == "ff" else rest + alpha)


def as_object(value: Any) -> Json:
    """The value if it is a JSON object, or else an empty one."""
    return value if isinstance(value, dict) else {}


def objects_of(value: Any) -> list[Json]:
    """The items of a list that are objects; [] for anything but a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
