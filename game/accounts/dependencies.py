"""What the endpoints of accounts share: the user manager, limits by client and address, and sending mails."""

from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request
from fastapi.security import OAuth2PasswordRequestForm

from game.accounts import login, pages
from game.accounts.emails import Email
from game.accounts.manager import UserManager
from game.core.database import Session
from game.core.limits import Limiter, Rate, client_limits

# In the URL fragment, which browsers do not send, so that no log contains a token.
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
    """Send a mail in the background, after the response."""
    background.add_task(request.app.state.mailer.send, lambda: email)


async def count_requested_mail(request: Request, address: str) -> None:
    """Count a mail that can be requested without logging in: mainly per client, so that others cannot lock the
    owner out.

    The limits are `limit_mail` per client and address, and ten times that per client and per address.

    Raises:
        TooManyRequests: the client or the address has reached its limit.
    """
    rate: Rate = request.app.state.settings.limit_mail
    limiter = get_limiter(request)
    key = login.address_key(address)
    await limiter.count(client_limits(request, "mail", rate.scaled(10)))
    await limiter.count(client_limits(request, "mail", rate, of=key))
    await limiter.count({f"mail:{key}": rate.scaled(10)})
