"""The mails that accounts send: subject and text."""

from typing import NamedTuple

from game.accounts.models import User


class Email(NamedTuple):
    """A mail to send."""

    to: str
    subject: str
    text: str


def _email(user: User, subject: str, text: str) -> Email:
    # An unverified address may be somebody else's: a stranger must not get to write to it through the name.
    name = f" {user.display_name}" if user.is_verified else ""
    return Email(user.email, subject, f"Hello{name},\n\n{text}\n\nWorldkeep\n")


def welcome(user: User, token: str) -> Email:
    """Welcomes a new user, and asks them to verify their address."""
    text = f"""welcome to Worldkeep. Your account is ready: log in with this address.

To verify that the address is yours, give your game this code (POST /auth/verify):

{token}

It works for one hour. If you did not sign up, ignore this mail."""
    return _email(user, "Welcome to Worldkeep", text)


def verify(user: User, token: str) -> Email:
    """Asks to verify an address."""
    text = f"""to verify that this address is yours, give your game this code (POST /auth/verify):

{token}

It works for one hour."""
    return _email(user, "Verify your address", text)


def reset(user: User, token: str) -> Email:
    """Sends a token that sets a new password."""
    text = f"""somebody asked for a new password for your account. If it was you, give your game this code and the
new password (POST /auth/reset-password):

{token}

It works once, for one hour. If it was not you, ignore this mail: nothing has changed."""
    return _email(user, "Set a new password", text)


def address_changed(user: User, old_address: str) -> Email:
    """Tells the old address of an account that there is a new one."""
    text = """the address of your account was changed. If it was not you, tell whoever runs this server at once."""
    return _email(user, "Your address was changed", text)._replace(to=old_address)


def password_changed(user: User) -> Email:
    """Tells that the password was changed."""
    text = """your password was changed, and all other devices were logged out. If it was not you, ask for a new
password at once (POST /auth/forgot-password), and tell whoever runs this server."""
    return _email(user, "Your password was changed", text)
