"""Signing up, and verifying an e-mail address."""

from typing import Any

from fastapi import APIRouter, BackgroundTasks, Request, Response

from game.accounts import emails
from game.accounts.dependencies import (
    VERIFY_PAGE,
    Manager,
    count_requested_mail,
    get_limiter,
    send_after_answer,
)
from game.accounts.errors import AlreadyVerified, BadVerifyToken, UserAlreadyExists
from game.accounts.manager import UserManager
from game.accounts.models import Accepted, EmailOnly, Token, User, UserRead, UserRegister
from game.core.errors import TooManyRequests, Unprocessable, documented
from game.core.limits import client_limits
from game.core.links import link
from game.core.settings import Settings
from game.core.strict_json import StrictRoute
from game.core.versions import tagged

router = APIRouter(prefix="/auth", tags=["Accounts"], route_class=StrictRoute)


@router.post(
    "/register",
    status_code=201,
    response_model=UserRead,
    responses=documented(UserAlreadyExists, Unprocessable, TooManyRequests),
)
async def register_user(
    request: Request, background: BackgroundTasks, response: Response, body: UserRegister, manager: Manager
) -> Any:
    """Sign up."""
    settings: Settings = request.app.state.settings
    await get_limiter(request).count(client_limits(request, "signup", settings.limit_signup))
    user = await manager.sign_up(body.email, body.password, body.display_name)
    token = manager.verify_token(user)
    send_after_answer(request, background, emails.welcome(user, link(request, VERIFY_PAGE + token), token))
    return tagged(response, user)


@router.post(
    "/request-verify-token",
    status_code=202,
    response_model=Accepted,
    responses=documented(Unprocessable, TooManyRequests),
)
async def request_verify_token(
    request: Request, background: BackgroundTasks, manager: Manager, body: EmailOnly
) -> Accepted:
    """Request a mail with a token for verifying your address."""
    await count_requested_mail(request, body.email)
    user = await manager.user_db.get_by_email(body.email)
    background.add_task(_send_verification, request, manager, user)
    return Accepted()


async def _send_verification(request: Request, manager: UserManager, user: User | None) -> None:
    if user is not None and user.is_active and not user.is_verified:

        def compose() -> emails.Email:
            token = manager.verify_token(user)
            return emails.verify(user, link(request, VERIFY_PAGE + token), token)

        await request.app.state.mailer.send(compose)


@router.post(
    "/verify",
    response_model=UserRead,
    responses=documented(BadVerifyToken, AlreadyVerified, UserAlreadyExists, Unprocessable),
)
async def verify_user(
    request: Request, response: Response, background: BackgroundTasks, manager: Manager, body: Token
) -> Any:
    """Verify your address, or confirm a new one, with a token from a mail."""
    user, old_address = await manager.verify_address(body.token)
    if old_address is not None:
        send_after_answer(request, background, emails.address_changed(user, old_address))
    return tagged(response, user)
