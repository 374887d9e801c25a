"""The errors of accounts: each has its status, its code and its message."""

from game.core.errors import BadRequest, Conflict, Unauthorized


class BadCredentials(BadRequest):
    """The e-mail address or the password is wrong."""

    code = "LOGIN_BAD_CREDENTIALS"


class UserAlreadyExists(BadRequest):
    """There is an account with this e-mail address already."""

    code = "REGISTER_USER_ALREADY_EXISTS"


class BadResetToken(BadRequest):
    """This token is not valid, has expired, or was used already."""

    code = "RESET_PASSWORD_BAD_TOKEN"


class BadVerifyToken(BadRequest):
    """This token is not valid or has expired."""

    code = "VERIFY_USER_BAD_TOKEN"


class AlreadyVerified(BadRequest):
    """This address is verified already."""

    code = "VERIFY_USER_ALREADY_VERIFIED"


class SpentRefreshToken(Unauthorized):
    """This refresh token was used before. It may have been stolen, so this session was ended: log in again."""

    code = "REFRESH_TOKEN_REUSED"
    commits = True


class OwnsUniverses(Conflict):
    """This account owns universes. Hand them over or delete them first, or deactivate the account."""

    code = "USER_OWNS_UNIVERSES"


class CannotChangeSelf(Conflict):
    """You cannot do this to your own account, because you would lock yourself out. Ask another superuser."""

    code = "CANNOT_CHANGE_SELF"
