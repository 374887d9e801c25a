"""The definitions of an exported LDtk project: those kept from its import, and new ones."""

import re
from typing import Any

from game.grid.formats import ldtk_shapes as shapes
from game.grid.formats.ldtk_shapes import shaped
from game.grid.formats.tiled_properties import objects_of

Json = dict[str, Any]


def whole(value: Any, low: int, high: int, default: int) -> int:
    """The value if it is a whole number in this range, or else `default`."""
    return value if type(value) is int and low <= value <= high else default


def rgb(color: str) -> str:
    """A colour in LDtk's form: `#RRGGBB`, without transparency."""
    digits = color.removeprefix("#")
    return "#" + ("".join(2 * digit for digit in digits) if len(digits) == 3 else digits[:6]).upper()


class Definitions:
    """The definitions of the project, kept and new ones, with unique uids."""

    def __init__(self, kept: Json, last: Any) -> None:
        usual = {
            "layers": shapes.LAYER_DEFINITION,
            "entities": shapes.ENTITY_DEFINITION,
            "tilesets": shapes.TILESET_DEFINITION,
            "levelFields": shapes.FIELD_DEFINITION,
        }
        self.lists = {
            key: [shaped(template, item) for item in objects_of(kept.get(key))] for key, template in usual.items()
        }
        for each in self.lists["layers"]:
            each["intGridValues"] = [
                shaped(shapes.VALUE_DEFINITION, item) for item in objects_of(each["intGridValues"])
            ]
            if each["type"] not in ("IntGrid", "Entities", "Tiles", "AutoLayer"):
                each["type"] = "IntGrid"
            each["__type"] = each["type"]
        for each in self.lists["entities"]:
            each["fieldDefs"] = [shaped(shapes.FIELD_DEFINITION, item) for item in objects_of(each["fieldDefs"])]
        self.enums = {key: shapes.complete(key, kept.get(key)) for key in ("enums", "externalEnums")}
        everything = [each for items in (*self.lists.values(), *self.enums.values()) for each in items]
        fields = [field for each in self.lists["entities"] for field in each["fieldDefs"]]
        used = [whole(each.get("uid"), 0, 2**30, 0) for each in everything + fields]
        self.next = max(1 + max([0, *used]), whole(last, 0, 2**30, 0))
        self.identifiers = {str(each.get("identifier")) for each in everything}

    def uid(self) -> int:
        """A new uid."""
        self.next += 1
        return self.next - 1

    def identifier(self, name: str) -> str:
        """A unique identifier that resembles the name."""
        plain = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")[:48] or "Thing"
        plain = plain if not plain[0].isdigit() else f"_{plain}"
        result, number = plain, 2
        while result in self.identifiers:
            result, number = f"{plain}_{number}", number + 1
        self.identifiers.add(result)
        return result

    def of(self, key: str, uid: Any) -> Json | None:
        """The definition with this uid, if there is one."""
        return next((each for each in self.lists[key] if each["uid"] == uid), None)

    def add(self, key: str, template: Json, **values: Any) -> Json:
        """Add a definition."""
        made = {**template, **values, "uid": self.uid()}
        self.lists[key].append(made)
        return made
