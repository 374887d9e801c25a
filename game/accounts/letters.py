"""The mails that accounts send: subject and text."""

from typing import NamedTuple

from game.accounts.models import User


class Letter(NamedTuple):
    """A mail to be sent."""

    to: str
    subject: str
    text: str


def _letter(user: User, subject: str, text: str) -> Letter:
    # Until an address is verified, it may be somebody else's: no words of a stranger's choice go there.
    name = f" {user.display_name}" if user.is_verified else ""
    return Letter(user.email, subject, f"Hello{name},\n\n{text}\n\nWorldkeep\n")


def welcome(user: User, token: str) -> Letter:
    """Greets a new user, and asks them to verify the address."""
    text = f"""welcome to Worldkeep. Your account is ready: log in with this address.

To verify that the address is yours, give your game this code (POST /auth/verify):

{token}

It works for one hour. If you did not sign up, ignore this mail."""
    return _letter(user, "Welcome to Worldkeep", text)


def verify(user: User, token: str) -> Letter:
    """Asks to verify an address."""
    text = f"""to verify that this address is yours, give your game this code (POST /auth/verify):

{token}

It works for one hour."""
    return _letter(user, "Verify your address", text)


def reset(user: User, token: str) -> Letter:
    """Lets somebody set a new password."""
    text = f"""somebody, we hope you, asked for a new password. Give your game this code and the new password
(POST /auth/reset-password):

{token}

It works once, for one hour. If it was not you, ignore this mail: nothing has changed."""
    return _letter(user, "Set a new password", text)


def address_changed(user: User, old_address: str) -> Letter:
    """Tells the old address of an account that there is a new one."""
    text = """the address of your account was changed. If it was not you, tell whoever runs this server at once."""
    return _letter(user, "Your address was changed", text)._replace(to=old_address)


def password_changed(user: User) -> Letter:
    """Tells that the password was changed."""
    text = """your password was changed, and all other devices were logged out. If it was not you, ask for a new
password at once (POST /auth/forgot-password), and tell whoever runs this server."""
    return _letter(user, "Your password was changed", text)
