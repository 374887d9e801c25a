"""The errors of accounts: each has its status, its code and its message."""

from game.core.errors import BadRequest, Conflict, Unauthorized


class BadCredentials(BadRequest):
    """The e-mail address or the password is wrong."""

    code = "LOGIN_BAD_CREDENTIALS"


class UserAlreadyExists(BadRequest):
    """An account with this e-mail address already exists."""

    code = "REGISTER_USER_ALREADY_EXISTS"


class BadResetToken(BadRequest):
    """This token is not valid, has expired, or was already used."""

    code = "RESET_PASSWORD_BAD_TOKEN"


class BadVerifyToken(BadRequest):
    """This token is not valid or has expired."""

    code = "VERIFY_USER_BAD_TOKEN"


class AlreadyVerified(BadRequest):
    """This address is already verified."""

    code = "VERIFY_USER_ALREADY_VERIFIED"


class SpentRefreshToken(Unauthorized):
    """This refresh token has already been used. It may have been stolen, so the session was ended. Log in
    again."""

    code = "REFRESH_TOKEN_REUSED"
    commits = True


class OwnsUniverses(Conflict):
    """This account owns universes. Transfer or delete them first, or deactivate the account."""

    code = "USER_OWNS_UNIVERSES"


class CannotChangeSelf(Conflict):
    """You cannot do this to your own account, because you would lock yourself out. Ask another superuser to do
    it."""

    code = "CANNOT_CHANGE_SELF"
