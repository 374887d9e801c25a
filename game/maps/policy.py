"""Who may do what with maps: for each operation, who. A map belongs to its universe; so do the rights."""

from collections.abc import Callable, Mapping

from game.accounts.models import User
from game.core.errors import Forbidden
from game.universes.models import Universe
from game.universes.policy import owner, signed_in

RULES: Mapping[str, Callable[[User, Universe], bool]] = {
    "listMaps": signed_in,
    "createMap": owner,
    "readMap": owner,
    "replaceMap": owner,
    "updateMap": owner,
    "deleteMap": owner,
}


def require(operation: str, user: User, universe: Universe) -> None:
    """Go on only when the user may do this to maps of a universe that they may read.

    Raises:
        Forbidden: they may not.
    """
    if not RULES[operation](user, universe):
        raise Forbidden
