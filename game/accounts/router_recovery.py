"""Setting a new password when the old one is forgotten."""

from typing import Any

from fastapi import APIRouter, BackgroundTasks, Request, Response

from game.accounts import emails
from game.accounts.dependencies import (
    RESET_PAGE,
    Manager,
    count_requested_mail,
    send_after_answer,
)
from game.accounts.errors import BadResetToken
from game.accounts.manager import UserManager
from game.accounts.models import Accepted, EmailOnly, ResetPassword, User, UserRead
from game.accounts.pages import FORGOT_PASSWORD
from game.core.errors import TooManyRequests, Unprocessable, documented
from game.core.links import link
from game.core.strict_json import StrictRoute
from game.core.versions import tagged

router = APIRouter(prefix="/auth", tags=["Accounts"], route_class=StrictRoute)


@router.post(
    "/forgot-password",
    status_code=202,
    response_model=Accepted,
    responses=documented(Unprocessable, TooManyRequests),
)
async def forgot_password(
    request: Request, background: BackgroundTasks, manager: Manager, body: EmailOnly
) -> Accepted:
    """Request a mail with a token for setting a new password."""
    await count_requested_mail(request, body.email)
    user = await manager.user_db.get_by_email(body.email)
    background.add_task(_send_reset, request, manager, user)
    return Accepted()


async def _send_reset(request: Request, manager: UserManager, user: User | None) -> None:
    # After the response, which is the same and takes the same time whether the address is known or not.
    if user is not None and user.is_active:

        def compose() -> emails.Email:
            token = manager.reset_token(user)
            return emails.reset(user, link(request, RESET_PAGE + token), token)

        await request.app.state.mailer.send(compose)


@router.post("/reset-password", response_model=UserRead, responses=documented(BadResetToken, Unprocessable))
async def reset_password(
    request: Request, response: Response, background: BackgroundTasks, manager: Manager, body: ResetPassword
) -> Any:
    """Set a new password with a token from a mail; ends all sessions."""
    user = await manager.reset(body.token, body.password)
    send_after_answer(request, background, emails.password_changed(user, link(request, FORGOT_PASSWORD)))
    return tagged(response, user)
