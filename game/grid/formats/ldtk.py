"""Imports LDtk projects: every level becomes a map, which keeps the project's settings and definitions.

Source: LDtk's JSON format documentation (ldtk.io/json).
"""

from collections.abc import Iterator
from typing import Any, Final

import orjson

from game.grid.document import GridError, Limits, check
from game.grid.formats.imported import WARNINGS, FormatError, ImportedMap, Notes
from game.grid.formats.ldtk_level import Definitions, Level
from game.grid.formats.strict import Node, kept, parse_json
from game.grid.formats.tiled_properties import PACKED, as_object
from game.grid.formats.uploads import Uploads

Json = dict[str, Any]

MAX_LEVELS: Final = 1000
MAX_DEFINITIONS: Final = 256 * 2**10
"""The maximum size, in bytes of JSON, of a project's definitions that are kept with each of its maps."""


def read_ldtk(root: Node, name: str, uploads: Uploads, limits: Limits) -> list[ImportedMap]:
    """Every level of every world, in the project's order. Raises FormatError."""
    levels = list(_levels(root, uploads))
    if not levels:
        raise FormatError("levels", "the project has no level")
    if len(levels) > MAX_LEVELS:
        raise FormatError("levels", f"the project has more than {MAX_LEVELS} levels")
    definitions = Definitions(root)
    project = _project(root, uploads.notes)
    maps = []
    for world, node in levels:
        level = Level(node, world, definitions, uploads, limits)
        settings = {**project, **_layout(root, world)}
        try:
            made = level.read(settings)
            if level.packed:
                check(made.grid_data, limits, "")
        except GridError as error:
            if not level.packed:
                raise
            message = f"The field {PACKED!r} is invalid, and was left out: {error}"[:300]
            uploads.notes.add("NOT_KEPT", node.place, message)
            level = Level(node, world, definitions, uploads, limits)
            level.packed = {}
            made = level.read(settings)
        maps.append(made)
    return maps


def _project(root: Node, notes: Notes) -> Json:
    """What each map keeps of its project: the settings, and the definitions if they are not too large."""
    without = ("__header__", "levels", "worlds", "defs", "toc")
    definitions = dict(as_object(root.value.get("defs")))
    if len(orjson.dumps(definitions)) > MAX_DEFINITIONS:
        definitions["layers"] = [node.value | {"autoRuleGroups": []} for node in root["defs"].list_of("layers")]
        notes.add("AUTO_RULES_LOST", "defs.layers", WARNINGS["AUTO_RULES_LOST"])
        if len(orjson.dumps(definitions)) > MAX_DEFINITIONS:
            notes.add("DEFINITIONS_LOST", "defs", WARNINGS["DEFINITIONS_LOST"])
            definitions = {}
    settings = {key: value for key, value in root.value.items() if key not in without}
    result = kept({**settings, "defs": definitions}, "", notes)
    assert isinstance(result, dict)
    return result


def _layout(root: Node, world: str) -> Json:
    """The layout settings of a world, if the project has several worlds; each then has its own."""
    keys = ("worldLayout", "worldGridWidth", "worldGridHeight")
    about: Json = next(
        (node.value for node in root.list_of("worlds") if node.value.get("identifier") == world), {}
    )
    return {key: about[key] for key in keys if isinstance(about.get(key), str | int)}


def _levels(root: Node, uploads: Uploads) -> Iterator[tuple[str, Node]]:
    worlds = [(world.text("identifier", ""), world) for world in root.list_of("worlds")]
    used: set[str] = set()
    for world, holder in worlds or [("", root)]:
        for level in holder.list_of("levels"):
            if "layerInstances" in level:
                yield world, level
                continue
            path = level.text("externalRelPath", "")
            found = uploads.find(path) if path else None
            if found is None:
                message = f"The separate file {path} of a level was not uploaded; the level was left out."
                uploads.notes.add("LEVEL_MISSING", level.place, message)
                continue
            if found[0] in used:
                raise FormatError(level.at("externalRelPath"), "is the file of another level")
            used.add(found[0])
            node = None
            with uploads.notes.skipping("LEVEL_UNREADABLE"):
                node = _external_level(*found)
            if node:
                yield world, node


def _external_level(name: str, data: bytes) -> Node:
    try:
        node = Node(parse_json(data).value, name)
    except FormatError as error:
        raise FormatError(f"{name}: {error.place}", error.message) from None
    if "layerInstances" not in node:
        raise FormatError(name, "is not an LDtk level")
    return node
