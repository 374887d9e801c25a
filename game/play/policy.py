"""Who may play on maps: for each operation, who. The rights are those of the map's universe."""

from game.universes.policy import Rules, guard, owner

RULES: Rules = {
    "findPath": owner,
    "readSight": owner,
    "readDistance": owner,
    "readArea": owner,
    "drawMapAsPng": owner,
    "drawMapAsSvg": owner,
}

require = guard(RULES)
