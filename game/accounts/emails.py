"""The mails that accounts send: subject and text.

A mail with a token has a link to the page of this server that uses it, and the token by itself for games that ask
for it.
"""

from typing import NamedTuple

from game.accounts.models import User


class Email(NamedTuple):
    """A mail to send."""

    to: str
    subject: str
    text: str


def _email(user: User, subject: str, text: str) -> Email:
    # An unverified address may belong to another person, who must not get text from a stranger in the name.
    name = f" {user.display_name}" if user.is_verified else ""
    return Email(user.email, subject, f"Hello{name},\n\n{text}\n\nWorldkeep\n")


def welcome(user: User, page: str, token: str) -> Email:
    """Welcomes a new user, and asks them to verify their address."""
    text = f"""welcome to Worldkeep. Your account is ready, and you can log in with this address.

To confirm that the address is yours, open this page: {page}

If your game asks for a code instead, this is it:

{token}

Both work for one hour. If you did not sign up, ignore this mail."""
    return _email(user, "Welcome to Worldkeep", text)


def verify(user: User, page: str, token: str) -> Email:
    """Asks to verify an address."""
    text = f"""to confirm that this address is yours, open this page: {page}

If your game asks for a code instead, this is it:

{token}

Both work for one hour."""
    return _email(user, "Verify your address", text)


def reset(user: User, page: str, token: str) -> Email:
    """Sends a token that sets a new password."""
    text = f"""somebody asked for a new password for your account. If it was you, open this page: {page}

If your game asks for a code instead, this is it:

{token}

Both work once, for one hour. If it was not you, ignore this mail: nothing has changed."""
    return _email(user, "Set a new password", text)


def confirm_address(new_address: str, page: str, token: str) -> Email:
    """Asks the new address of an account to confirm the change."""
    text = f"""somebody entered this address for their account at Worldkeep. If it was you, open this page: {page}

If your game asks for a code instead, this is it:

{token}

Both work for one hour. If it was not you, ignore this mail: nothing has changed."""
    # No name: until it is confirmed, the address may belong to another person.
    return Email(new_address, "Confirm your new address", f"Hello,\n\n{text}\n\nWorldkeep\n")


def address_change_requested(user: User, page: str) -> Email:
    """Notifies the current address that a change to another address was requested."""
    text = f"""somebody who knows your password entered another address for your account. It replaces this one once
it is confirmed by the mail that was sent there.

If it was not you, change your password at once, which also cancels this: {page}"""
    return _email(user, "Your address is to be changed", text)


def address_changed(user: User, old_address: str) -> Email:
    """Notifies the old address that the address was changed."""
    text = """the address of your account was changed. If it was not you, tell the administrator of this server
at once."""
    return _email(user, "Your address was changed", text)._replace(to=old_address)


def password_changed(user: User, page: str) -> Email:
    """Notifies the user that the password was changed."""
    text = f"""your password was changed, and all other devices were logged out. If it was not you, tell the
administrator of this server, and set a new password at once: {page}"""
    return _email(user, "Your password was changed", text)
