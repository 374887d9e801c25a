"""What the endpoints of accounts share: the user manager, limits by client and address, and sending mails."""

from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request
from fastapi.security import OAuth2PasswordRequestForm

from game.accounts import login, pages
from game.accounts.emails import Email
from game.accounts.manager import UserManager
from game.core.database import Session
from game.core.limits import Limiter, Rate, client_limits

# Behind the #, which browsers do not send: no log contains a token.
VERIFY_PAGE, RESET_PAGE = f"{pages.VERIFY_EMAIL}#token=", f"{pages.RESET_PASSWORD}#token="


def get_manager(request: Request, session: Session) -> UserManager:
    """FastAPI Users in this request's transaction."""
    return UserManager(session, request.app.state.secret)


Manager = Annotated[UserManager, Depends(get_manager)]
Credentials = Annotated[OAuth2PasswordRequestForm, Depends()]


def get_limiter(request: Request) -> Limiter:
    """The limiter of this worker."""
    limiter: Limiter = request.app.state.limiter
    return limiter


def send_after_answer(request: Request, background: BackgroundTasks, email: Email) -> None:
    """Send a mail after the request has been answered."""
    background.add_task(request.app.state.mailer.send, lambda: email)


async def count_requested_mail(request: Request, address: str) -> None:
    """Count a mail that anybody may request: mainly by client, so that strangers cannot lock the owner out.

    A client may ask for `limit_mail` to one address, and ten times that in all. One address gets at most ten times
    that from all clients together, to protect its mailbox.

    Raises:
        TooManyRequests: the client or the address has reached its limit.
    """
    rate: Rate = request.app.state.settings.limit_mail
    limiter = get_limiter(request)
    key = login.address_key(address)
    await limiter.count(client_limits(request, "mail", rate.scaled(10)))
    await limiter.count(client_limits(request, "mail", rate, of=key))
    await limiter.count({f"mail:{key}": rate.scaled(10)})
