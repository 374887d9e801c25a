"""Checks beyond `game.permissions`: superusers cannot lock themselves out."""

from game import permissions
from game.accounts.errors import CannotChangeSelf
from game.accounts.models import User
from game.permissions import Role


def require(operation: str, user: User) -> None:
    """Check that the user may do this.

    Raises:
        Forbidden: they may not.
    """
    permissions.require(operation, Role.superuser if user.is_superuser else Role.signed_in)


def forbid_self_lockout(user: User, target: User, *, takes_rights: bool) -> None:
    """Check that superusers do not delete, deactivate or demote themselves.

    Raises:
        CannotChangeSelf: they would.
    """
    if user.id == target.id and takes_rights:
        raise CannotChangeSelf
