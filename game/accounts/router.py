"""The endpoints of accounts, put together by subject."""

from fastapi import APIRouter

from game.accounts import router_login, router_recovery, router_sessions, router_signup, router_users

router = APIRouter()
for _part in (router_signup, router_login, router_sessions, router_recovery, router_users):
    router.include_router(_part.router)
