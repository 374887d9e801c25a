"""Who may do what with maps: for each operation, who. A map belongs to its universe; so do the rights."""

from game.universes.policy import Rules, guard, owner, signed_in

RULES: Rules = {
    "listMaps": signed_in,
    "createMap": owner,
    "readMap": owner,
    "replaceMap": owner,
    "updateMap": owner,
    "deleteMap": owner,
}

require = guard(RULES)
