"""Who may do what with assets: for each operation, who. An asset belongs to its universe; so do the rights."""

from game.universes.policy import Rules, guard, owner

RULES: Rules = {
    "createAsset": owner,
    "listAssets": owner,
    "readAsset": owner,
    "deleteAsset": owner,
}

require = guard(RULES)
