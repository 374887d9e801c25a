"""Who may bring files in and take them out: for each operation, who."""

from game.universes.policy import Rules, guard, owner, signed_in

RULES: Rules = {
    "importMap": owner,
    "exportMap": owner,
    "exportUniverse": owner,
    "importUniverse": signed_in,
}

require = guard(RULES)
