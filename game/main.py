"""The app, put together: a table of contents of the server."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from game.accounts.router import auth, users
from game.accounts.tokens import AccessTokens
from game.core import docs, errors, health, logs
from game.core.database import Database
from game.core.edge import Edge
from game.core.hot import HotReads
from game.core.housekeeping import housekeeping
from game.core.limits import Limiter
from game.core.mail import Mailer
from game.core.metrics import Metrics
from game.core.settings import Settings
from game.maps.router import router as maps
from game.universes.router import router as universes

VERSION = "0.1.0"

_DESCRIPTION = """
Worlds, maps and accounts for D&D-style games.

Sign up, log in, and send the access token as `Authorization: Bearer ...`. Every document has a `version`, which
is its ETag: send it back as `If-Match` to be told when somebody else was faster. Errors are RFC 9457 problem
documents with a stable `code`.
"""


class Worldkeep(FastAPI):
    """FastAPI, with our edge around all of it, its own middleware included."""

    def build_middleware_stack(self) -> ASGIApp:
        """FastAPI's stack inside of ours."""
        state = self.state
        return Edge(super().build_middleware_stack(), state.settings, state.metrics, docs.policy_of)


def operation_id(route: APIRoute) -> str:
    """`list_maps` as `listMaps`: what generated clients call their methods."""
    first, *others = re.split(r"[^A-Za-z0-9]+", route.name)
    return first + "".join(word.capitalize() for word in others)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """What a worker holds while it serves."""
    state = app.state
    state.database = Database(state.settings)
    state.limiter = Limiter(state.database.hot_pool)
    state.mailer = Mailer(state.settings)
    state.hot = HotReads(state.database, state.tokens.identify)
    async with housekeeping(state.database):
        yield
    await state.mailer.close()
    await state.database.close()


def create_app(settings: Settings | None = None) -> FastAPI:
    """The app for these settings; without any, for those of the environment."""
    settings = settings or Settings()
    logs.configure(settings)
    app = Worldkeep(
        title="Worldkeep",
        version=VERSION,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        max_body_size=settings.max_body_size,
        generate_unique_id_function=operation_id,
    )
    state: Any = app.state
    state.settings = settings
    state.metrics = Metrics()
    state.secret = settings.secret()
    state.tokens = AccessTokens(state.secret)

    errors.install(app)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            # Any origin and cookies together would let every site act as the person who visits it.
            allow_credentials="*" not in settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key"],
            expose_headers=["ETag", "Location", "Retry-After", "X-Request-ID"],
        )

    app.include_router(auth)
    app.include_router(users)
    app.include_router(universes)
    app.include_router(maps)
    app.include_router(health.router)
    docs.install(app)
    return app
