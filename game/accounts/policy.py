"""Who may do what with accounts: for each operation, who."""

from collections.abc import Callable, Mapping

from game.accounts.models import User
from game.core.errors import Conflict, Forbidden

Rule = Callable[[User], bool]


def anyone(user: User | None) -> bool:
    """Also without an account."""
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
    """Go on only when the user may do this.

    Raises:
        Forbidden: they may not.
    """
    if not RULES[operation](user):
        raise Forbidden("Only superusers may do this.")


class CannotChangeSelf(Conflict):
    """Another superuser must do this to your account: nobody locks themselves out."""

    code = "CANNOT_CHANGE_SELF"


def spare_yourself(user: User, target: User, *, deactivates: bool) -> None:
    """Go on only when a superuser does not take their own account's rights.

    Raises:
        CannotChangeSelf: they do.
    """
    if user.id == target.id and deactivates:
        raise CannotChangeSelf
