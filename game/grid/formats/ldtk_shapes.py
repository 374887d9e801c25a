"""The objects of an LDtk project: their keys, with default values.

Source: LDtk's JSON format documentation and its JSON schema, version 1.5.3 (ldtk.io/json).
"""

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

VERSION: Final = "1.5.3"
_NULL: Final[Mapping[str, type]] = {
    "biomeFieldUid": int,
    "bgColor": str,
    "bgPos": str,
    "bgRelPath": str,
    "cachedPixelData": dict,
    "doc": str,
    "externalRelPath": str,
    "identifier": str,
    "relPath": str,
    "tutorialDesc": str,
    "uiColor": str,
    "worldLayout": str,
    "__tile": dict,
    "__bgPos": dict,
    "tile": dict,
    "tileRect": dict,
    "uiTileRect": dict,
    "acceptFileTypes": list,
    "editorTextSuffix": str,
    "editorTextPrefix": str,
    "editorDisplayColor": str,
    "textLanguageMode": str,
    "regex": str,
    "defaultOverride": dict,
    "embedAtlas": str,
    "backupRelPath": str,
    "pngFilePattern": str,
    "__tilesetRelPath": str,
}
"""The types of keys that may be null; those that are not listed are whole numbers."""

ROOT: Final[Json] = {
    "iid": "",
    "jsonVersion": VERSION,
    "appBuildId": 473702,
    "nextUid": 1,
    "identifierStyle": "Free",
    "toc": [],
    "worldLayout": "Free",
    "worldGridWidth": 256,
    "worldGridHeight": 256,
    "defaultLevelWidth": 256,
    "defaultLevelHeight": 256,
    "defaultPivotX": 0,
    "defaultPivotY": 0,
    "defaultGridSize": 16,
    "defaultEntityWidth": 16,
    "defaultEntityHeight": 16,
    "bgColor": "#40465B",
    "defaultLevelBgColor": "#696A79",
    "minifyJson": False,
    "externalLevels": False,
    "exportTiled": False,
    "simplifiedExport": False,
    "imageExportMode": "None",
    "exportLevelBg": True,
    "pngFilePattern": None,
    "backupOnSave": False,
    "backupLimit": 10,
    "backupRelPath": None,
    "levelNamePattern": "Level_%idx",
    "tutorialDesc": None,
    "customCommands": [],
    "flags": [],
    "dummyWorldIid": "",
}
LEVEL: Final[Json] = {
    "identifier": "Level",
    "iid": "",
    "uid": 0,
    "worldX": 0,
    "worldY": 0,
    "worldDepth": 0,
    "pxWid": 0,
    "pxHei": 0,
    "__bgColor": "#696A79",
    "bgColor": None,
    "useAutoIdentifier": False,
    "bgRelPath": None,
    "bgPos": None,
    "bgPivotX": 0.5,
    "bgPivotY": 0.5,
    "__smartColor": "#ADADB5",
    "__bgPos": None,
    "externalRelPath": None,
    "fieldInstances": [],
    "layerInstances": [],
    "__neighbours": [],
}
LAYER: Final[Json] = {
    "__identifier": "Layer",
    "__type": "IntGrid",
    "__cWid": 0,
    "__cHei": 0,
    "__gridSize": 16,
    "__opacity": 1,
    "__pxTotalOffsetX": 0,
    "__pxTotalOffsetY": 0,
    "__tilesetDefUid": None,
    "__tilesetRelPath": None,
    "iid": "",
    "levelId": 0,
    "layerDefUid": 0,
    "pxOffsetX": 0,
    "pxOffsetY": 0,
    "visible": True,
    "optionalRules": [],
    "intGridCsv": [],
    "autoLayerTiles": [],
    "seed": 1,
    "overrideTilesetUid": None,
    "gridTiles": [],
    "entityInstances": [],
}
ENTITY: Final[Json] = {
    "__identifier": "Entity",
    "__grid": [],
    "__pivot": [0, 0],
    "__tags": [],
    "__tile": None,
    "__smartColor": "#94D9B3",
    "iid": "",
    "width": 16,
    "height": 16,
    "defUid": 0,
    "px": [],
    "fieldInstances": [],
    "__worldX": 0,
    "__worldY": 0,
}
FIELD: Final[Json] = {
    "__identifier": "",
    "__type": "String",
    "__value": None,
    "__tile": None,
    "defUid": 0,
    "realEditorValues": [],
}
LAYER_DEFINITION: Final[Json] = {
    "__type": "IntGrid",
    "identifier": "Layer",
    "type": "IntGrid",
    "uid": 0,
    "doc": None,
    "uiColor": None,
    "gridSize": 16,
    "guideGridWid": 0,
    "guideGridHei": 0,
    "displayOpacity": 1,
    "inactiveOpacity": 0.6,
    "hideInList": False,
    "hideFieldsWhenInactive": True,
    "canSelectWhenInactive": True,
    "renderInWorldView": True,
    "pxOffsetX": 0,
    "pxOffsetY": 0,
    "parallaxFactorX": 0,
    "parallaxFactorY": 0,
    "parallaxScaling": True,
    "requiredTags": [],
    "excludedTags": [],
    "autoTilesKilledByOtherLayerUid": None,
    "uiFilterTags": [],
    "useAsyncRender": False,
    "intGridValues": [],
    "intGridValuesGroups": [],
    "autoRuleGroups": [],
    "autoSourceLayerDefUid": None,
    "tilesetDefUid": None,
    "tilePivotX": 0,
    "tilePivotY": 0,
    "biomeFieldUid": None,
}
VALUE_DEFINITION: Final[Json] = {"value": 1, "identifier": None, "color": "#000000", "tile": None, "groupUid": 0}
TILESET_DEFINITION: Final[Json] = {
    "__cWid": 1,
    "__cHei": 1,
    "identifier": "Tileset",
    "uid": 0,
    "relPath": None,
    "embedAtlas": None,
    "pxWid": 16,
    "pxHei": 16,
    "tileGridSize": 16,
    "spacing": 0,
    "padding": 0,
    "tags": [],
    "tagsSourceEnumUid": None,
    "enumTags": [],
    "customData": [],
    "savedSelections": [],
    "cachedPixelData": None,
}
ENTITY_DEFINITION: Final[Json] = {
    "identifier": "Entity",
    "uid": 0,
    "tags": [],
    "exportToToc": False,
    "allowOutOfBounds": False,
    "doc": None,
    "width": 16,
    "height": 16,
    "resizableX": False,
    "resizableY": False,
    "minWidth": None,
    "maxWidth": None,
    "minHeight": None,
    "maxHeight": None,
    "keepAspectRatio": False,
    "tileOpacity": 1,
    "fillOpacity": 1,
    "lineOpacity": 1,
    "hollow": False,
    "color": "#94D9B3",
    "renderMode": "Rectangle",
    "showName": True,
    "tilesetId": None,
    "tileRenderMode": "FitInside",
    "tileRect": None,
    "uiTileRect": None,
    "nineSliceBorders": [],
    "maxCount": 0,
    "limitScope": "PerLevel",
    "limitBehavior": "MoveLastOne",
    "pivotX": 0,
    "pivotY": 0,
    "fieldDefs": [],
}
FIELD_DEFINITION: Final[Json] = {
    "identifier": "field",
    "doc": None,
    "__type": "String",
    "uid": 0,
    "type": "F_String",
    "isArray": False,
    "canBeNull": True,
    "arrayMinLength": None,
    "arrayMaxLength": None,
    "editorDisplayMode": "Hidden",
    "editorDisplayScale": 1,
    "editorDisplayPos": "Above",
    "editorLinkStyle": "StraightArrow",
    "editorDisplayColor": None,
    "editorAlwaysShow": False,
    "editorShowInWorld": False,
    "editorCutLongValues": True,
    "editorTextSuffix": None,
    "editorTextPrefix": None,
    "useForSmartColor": False,
    "exportToToc": False,
    "searchable": False,
    "min": None,
    "max": None,
    "regex": None,
    "acceptFileTypes": None,
    "defaultOverride": None,
    "textLanguageMode": None,
    "symmetricalRef": False,
    "autoChainRef": True,
    "allowOutOfLevelRef": True,
    "allowedRefs": "OnlySame",
    "allowedRefsEntityUid": None,
    "allowedRefTags": [],
    "tilesetUid": None,
}


_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "autoRuleGroups": (
        "active", "biomeRequirementMode", "isOptional", "name", "requiredBiomeValues", "rules", "uid",
        "usesWizard",
    ),
    "rules": (
        "active", "alpha", "breakOnMatch", "chance", "checker", "flipX", "flipY", "invalidated", "pattern",
        "perlinActive", "perlinOctaves", "perlinScale", "perlinSeed", "pivotX", "pivotY", "size", "tileMode",
        "tileRandomXMax", "tileRandomXMin", "tileRandomYMax", "tileRandomYMin", "tileRectsIds", "tileXOffset",
        "tileYOffset", "uid", "xModulo", "xOffset", "yModulo", "yOffset",
    ),
    "enums": ("identifier", "tags", "uid", "values"),
    "externalEnums": ("identifier", "tags", "uid", "values"),
    "values": ("color", "id"),
    "enumTags": ("enumValueId", "tileIds"),
    "customData": ("data", "tileId"),
    "intGridValuesGroups": ("uid",),
}  # fmt: skip
"""The keys that kept parts of definitions must have."""


def complete(key: str, items: Any) -> list[Json]:
    """The items that have all keys that LDtk requires; its older versions wrote fewer."""
    result = []
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and all(name in item for name in _PARTS[key]):
            parts = {name: complete(name, item[name]) for name in ("rules", "values") if name in _PARTS[key]}
            result.append({**item, **parts})
    return result


def shaped(usual: Mapping[str, Any], *kept: Any) -> Json:
    """A copy of the defaults `usual` with those values from `kept` that have the right type.

    Anyone may have edited the kept data.
    """
    result = dict(usual)
    for each in kept:
        for key, value in each.items() if isinstance(each, dict) else ():
            if key in usual and _fits(key, usual[key], value):
                result[key] = complete(key, value) if key in _PARTS else value
    return result


_RECTANGLES: Final = ("__tile", "tile", "tileRect", "uiTileRect")
"""Keys whose value is a rectangle of a tileset."""


def _fits(key: str, usual: Any, value: Any) -> bool:
    if key == "__value":
        return True
    if key in _RECTANGLES and value is not None:
        sides = ("tilesetUid", "x", "y", "w", "h")
        return (
            isinstance(value, dict)
            and set(value) == set(sides)
            and all(type(value[side]) is int for side in sides)
        )
    if usual is None:
        return value is None or (type(value) in (int, float) and key in ("min", "max")) or (
            type(value) is _NULL.get(key, int)
        )  # fmt: skip
    if value is None:
        return False
    if type(usual) is int and not isinstance(usual, bool):
        # Factors and opacities are numbers; sizes, ids and positions are whole numbers.
        is_factor = "opacity" in key.lower() or "pivot" in key.lower() or "Factor" in key or "Scale" in key
        return type(value) is int or (is_factor and type(value) is float)
    if type(usual) is float:
        return type(value) in (int, float)
    return type(value) is type(usual)
