"""Who may do what in a universe: for each operation, who.

Whoever may not read a universe is told that it is not there.
"""

from collections.abc import Callable, Mapping

from game.accounts.models import User
from game.core.errors import Forbidden
from game.universes.models import Universe

Rules = Mapping[str, Callable[[User, Universe], bool]]


def owner(user: User, universe: Universe) -> bool:
    """The universe's game master."""
    return universe.owner_id == user.id


def signed_in(user: User, universe: Universe | None) -> bool:
    """Everybody with an account, for what is theirs."""
    return user.is_active


def guard(rules: Rules) -> Callable[[str, User, Universe], None]:
    """A function that goes on only when a user may do an operation in a universe that they may read.

    It raises Forbidden when they may not.
    """

    def require(operation: str, user: User, universe: Universe) -> None:
        if not rules[operation](user, universe):
            raise Forbidden

    return require


RULES: Rules = {
    "listUniverses": signed_in,
    "createUniverse": signed_in,
    "readUniverse": owner,
    "replaceUniverse": owner,
    "updateUniverse": owner,
    "deleteUniverse": owner,
    "listEvents": owner,
}

require = guard(RULES)
