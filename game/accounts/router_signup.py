"""Signing up, and verifying an e-mail address."""

from typing import Any

from fastapi import APIRouter, BackgroundTasks, Request, Response

from game.accounts import emails, login
from game.accounts.dependencies import Manager, count_requested_mail, get_limiter, send_after_answer
from game.accounts.errors import AlreadyVerified, BadVerifyToken, UserAlreadyExists
from game.accounts.manager import UserManager
from game.accounts.models import Accepted, EmailOnly, Token, User, UserRead, UserRegister
from game.core.errors import TooManyRequests, Unprocessable, documented
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
    await get_limiter(request).count({f"signup:{login.client_address(request)}": settings.limit_signup})
    user = await manager.sign_up(body.email, body.password, body.display_name)
    send_after_answer(request, background, emails.welcome(user, manager.verify_token(user)))
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
    """Ask for a mail with a token that verifies your address."""
    await count_requested_mail(request, body.email)
    user = await manager.user_db.get_by_email(body.email)
    background.add_task(_send_verification, request, manager, user)
    return Accepted()


async def _send_verification(request: Request, manager: UserManager, user: User | None) -> None:
    if user is not None and user.is_active and not user.is_verified:
        await request.app.state.mailer.send(lambda: emails.verify(user, manager.verify_token(user)))


@router.post(
    "/verify", response_model=UserRead, responses=documented(BadVerifyToken, AlreadyVerified, Unprocessable)
)
async def verify_user(response: Response, manager: Manager, body: Token) -> Any:
    """Verify your address with a token from a mail."""
    return tagged(response, await manager.verify_address(body.token))
