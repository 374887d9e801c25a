"""Who may do what with accounts: a rule for each operation."""

from collections.abc import Callable, Mapping

from game.accounts.errors import CannotChangeSelf
from game.accounts.models import User
from game.core.errors import Forbidden

Rule = Callable[[User], bool]


def anyone(user: User | None) -> bool:
    """Everybody, with or without an account."""
    return True


def signed_in(user: User | None) -> bool:
    """Everybody with an account, about themselves."""
    return user is not None


def superuser(user: User | None) -> bool:
    """Those who run the server."""
    return user is not None and user.is_superuser


RULES: Mapping[str, Callable[[User | None], bool]] = {
    "registerUser": anyone,
    "logIn": anyone,
    "logInWithCookie": anyone,
    "refreshTokens": anyone,
    "forgotPassword": anyone,
    "resetPassword": anyone,
    "requestVerifyToken": anyone,
    "verifyUser": anyone,
    "logOut": signed_in,
    "logOutWithCookie": signed_in,
    "listSessions": signed_in,
    "endSession": signed_in,
    "readMe": signed_in,
    "updateMe": signed_in,
    "listUsers": superuser,
    "readUser": superuser,
    "updateUser": superuser,
    "deleteUser": superuser,
}


def require(operation: str, user: User) -> None:
    """Check that the user may do this.

    Raises:
        Forbidden: they may not.
    """
    if not RULES[operation](user):
        raise Forbidden("Only superusers may do this.")


def forbid_self_lockout(user: User, target: User, *, takes_rights: bool) -> None:
    """Check that superusers do not delete, deactivate or demote themselves.

    Raises:
        CannotChangeSelf: they would.
    """
    if user.id == target.id and takes_rights:
        raise CannotChangeSelf
