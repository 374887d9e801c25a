"""Who may do what in a universe: for each operation, who.

Whoever may not read a universe is told that it is not there.
"""

from collections.abc import Callable, Mapping

from game.accounts.models import User
from game.core.errors import Forbidden
from game.universes.models import Universe


def owner(user: User, universe: Universe) -> bool:
    """The universe's game master."""
    return universe.owner_id == user.id


def signed_in(user: User, universe: Universe | None) -> bool:
    """Everybody with an account, for what is theirs."""
    return user.is_active


RULES: Mapping[str, Callable[[User, Universe], bool]] = {
    "listUniverses": signed_in,
    "createUniverse": signed_in,
    "readUniverse": owner,
    "replaceUniverse": owner,
    "updateUniverse": owner,
    "deleteUniverse": owner,
    "listEvents": owner,
}


def require(operation: str, user: User, universe: Universe) -> None:
    """Go on only when the user may do this in a universe that they may read.

    Raises:
        Forbidden: they may not.
    """
    if not RULES[operation](user, universe):
        raise Forbidden
