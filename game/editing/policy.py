"""Who may edit maps: for each operation, who. The rights are those of the map's universe."""

from game.universes.policy import Rules, guard, owner

RULES: Rules = {
    "readRegion": owner,
    "editMap": owner,
    "undoEdit": owner,
    "redoEdit": owner,
    "listHistory": owner,
    "restoreMap": owner,
}

require = guard(RULES)
