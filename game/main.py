"""Assembles the app: a table of contents of the server."""

import gc
import multiprocessing
import re
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Scope

from admin import guard, site
from game.accounts import pages as account_pages
from game.accounts.current import is_cross_site
from game.accounts.router import router as accounts
from game.accounts.tokens import AccessTokens, RefreshTokens
from game.assets.processing import Processing
from game.assets.router import router as assets
from game.characters.router import router as characters
from game.core import docs, errors, guide, health, logs, static, webpages
from game.core.coalescer import Coalescer
from game.core.compute import Compute
from game.core.database import Database
from game.core.deadline import Deadline
from game.core.edge import Edge, SendWhole
from game.core.headers import Headers
from game.core.hosts import Hosts, Proxies
from game.core.hot import HotEndpoints
from game.core.housekeeping import housekeeping
from game.core.limits import Limiter
from game.core.mail import Mailer
from game.core.metrics import Metrics
from game.core.openapi import tidy
from game.core.settings import Settings
from game.core.streams import Streams
from game.editing.batches import EditBatches
from game.editing.router import router as editing
from game.encounters.router import router as encounters
from game.events.cursors import Cursors
from game.events.hints import ANNOUNCE
from game.exchange.router import map_files
from game.exchange.router_universes import router as universe_files
from game.live import docs as live_docs
from game.live.fanout import fanout_of
from game.live.hub import Hub
from game.live.metrics import LiveMetrics
from game.live.router import router as live
from game.maps.router import router as maps
from game.members import pages as member_pages
from game.members.router import invitations, members
from game.messages.router import router as messages
from game.notes.router import router as notes
from game.play import pages as play_pages
from game.play.router import router as play
from game.play.router_doors import router as doors
from game.play.router_fog import router as fog
from game.play.router_moves import router as moves
from game.play.router_pictures import router as pictures
from game.play.router_tokens import router as tokens
from game.rolls.batches import RollBatches
from game.rolls.router import router as rolls
from game.universes import quotas
from game.universes.quotas import QUOTAS, Quotas
from game.universes.router import router as universes
from game.universes.router_storage import router as storage

VERSION = "0.1.0"
_GC_THRESHOLD = 20_000
_SWITCH_SECONDS = 0.001

_DESCRIPTION = """
Worlds, maps and accounts for D&D-style games.

Sign up, log in, and send the access token as `Authorization: Bearer ...`. Every document has a `version`, which is
its ETag. Send it as `If-Match` to detect whether the document was changed meanwhile. Errors are RFC 9457
problem documents with a stable `code`.
"""


class Worldkeep(FastAPI):
    """FastAPI, wrapped by our edge, including its own middleware."""

    def build_middleware_stack(self) -> ASGIApp:
        """FastAPI's middleware stack, wrapped by ours."""
        state = self.state
        settings: Settings = state.settings
        # The back office calls the API without the middleware that its own request has already passed.
        state.api = super().build_middleware_stack()
        stack: ASGIApp = Deadline(state.api, settings.request_timeout)
        stack = hot = HotEndpoints(
            self,
            stack,
            state.tokens.identify,
            lambda scope: is_cross_site(Request(scope), settings.cors_origins),
        )
        state.commands = hot
        if settings.cors_origins:
            stack = _cors(stack, settings.cors_origins)
        self._edge = Edge(
            stack,
            hot,
            hosts=Hosts(settings),
            proxies=Proxies(settings),
            headers=Headers(settings, _csp_of),
            metrics=state.metrics,
            log=state.requests,
        )
        return self._edge

    @property
    def head_timeout(self) -> float:
        """Seconds within which a new connection must send the head of a request."""
        return float(self.state.settings.head_timeout)

    def answer_without_task(self, scope: Scope, send_whole: SendWhole, start_task: Callable[[], None]) -> bool:
        """`Edge.answer_without_task`, for our server's protocol."""
        return self._edge.answer_without_task(scope, send_whole, start_task)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, generated once."""
        if self.openapi_schema is None:
            self.openapi_schema = tidy(super().openapi())
        return self.openapi_schema


def _cors(app: ASGIApp, origins: list[str]) -> ASGIApp:
    return CORSMiddleware(
        app,
        allow_origins=origins,
        # Cookies together with any origin would let every site act as its visitor.
        allow_credentials="*" not in origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key"],
        expose_headers=["ETag", "Location", "Retry-After", "X-Request-ID", "X-Warnings", "Content-Disposition"],
    )


def _csp_of(path: str) -> bytes | None:
    """The Content-Security-Policy of a page; None for the API, which has its own."""
    return docs.csp_of(path) or guard.csp_of(path)


def operation_id(route: APIRoute) -> str:
    """`list_maps` as `listMaps`, the name of the method in generated clients."""
    first, *others = re.split(r"[^A-Za-z0-9]+", route.name)
    return first + "".join(word.capitalize() for word in others)


def _end_with_parent() -> None:
    """Stop when the process that started this worker has ended for any reason, so that no orphan occupies the
    port."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def wait() -> None:
            parent.join()
            signal.raise_signal(signal.SIGTERM)

        threading.Thread(target=wait, name="parent", daemon=True).start()


def _telemetry() -> Any:
    """Disable FastAPI's tracing unless OpenTelemetry's SDK is installed, because it is looked up in each
    request."""
    return None if find_spec("opentelemetry.sdk") else {"tracing": False, "metrics": False, "logs": False}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The resources of a worker while it serves."""
    _end_with_parent()
    state = app.state
    state.database = Database(state.settings)
    state.limiter = Limiter(state.database.side_pool)
    state.mailer = Mailer(state.settings)
    settings = state.settings
    connect, timeout = state.database.hot_connection, settings.request_timeout
    state.hot = Coalescer(connect, settings.hot_pool_size, timeout)
    state.hot_writes = Coalescer(connect, settings.hot_write_pool_size, timeout)
    state.edits = EditBatches(state.database, settings.request_timeout)
    state.rolls = RollBatches(state.database, settings.request_timeout)
    state.compute = Compute(settings.compute_processes, settings.compute_memory * 2**20, settings.request_timeout)
    state.streams = Streams()
    # All current objects stay. Scanning them in each garbage collection would block requests for a tenth of a
    # second.
    gc.collect()
    gc.freeze()
    # Requests leave no reference cycles, so collecting after every 700 new objects costs more than it frees.
    gc.set_threshold(_GC_THRESHOLD, 10, 10)
    # The time for which the event loop waits for the interpreter while a thread works on a large document.
    sys.setswitchinterval(_SWITCH_SECONDS)
    state.live = Hub(app, fanout_of(settings), state.live_metrics)
    state.announce = state.live.announce
    state.database.session.configure(info={QUOTAS: state.quotas, ANNOUNCE: state.announce})
    state.processing = Processing(state.database, state.compute)
    sweep_quotas = partial(quotas.sweep, state.database, state.quotas)
    async with housekeeping(state.database, sweep_quotas), state.processing.running(), state.live.running():
        yield
    await state.edits.close()
    await state.rolls.close()
    state.compute.close()
    state.streams.close()
    await state.mailer.close()
    state.hot.close()
    state.hot_writes.close()
    await state.database.close()
    state.requests.flush()


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the app with these settings, by default those of the environment."""
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
        telemetry=_telemetry(),
        max_body_size=settings.max_body_size,
        generate_unique_id_function=operation_id,
    )
    state: Any = app.state
    state.settings = settings
    state.quotas = Quotas.of(settings)
    state.metrics = Metrics()
    state.live_metrics = LiveMetrics(state.metrics.registry)
    state.requests = logs.RequestLog(settings)
    state.secret = settings.secret()
    state.tokens = AccessTokens(state.secret)
    state.refresh_tokens = RefreshTokens(state.secret)
    state.cursors = Cursors(state.secret)

    errors.install(app)

    app.include_router(accounts)
    app.include_router(universe_files, max_body_size=settings.max_import_size)
    app.include_router(universes)
    app.include_router(storage)
    app.include_router(members)
    app.include_router(invitations)
    app.include_router(map_files, max_body_size=settings.max_import_size)
    app.include_router(maps)
    app.include_router(editing)
    app.include_router(play)
    app.include_router(pictures)
    app.include_router(tokens)
    app.include_router(fog)
    app.include_router(moves)
    app.include_router(doors)
    app.include_router(characters)
    app.include_router(encounters)
    app.include_router(rolls)
    app.include_router(messages)
    app.include_router(notes)
    app.include_router(assets, max_body_size=settings.max_import_size)
    app.include_router(live)
    app.include_router(health.router)
    docs.install(app)
    live_docs.install(app)
    guide.install(app)
    webpages.install(app)
    account_pages.install(app)
    play_pages.install(app)
    member_pages.install(app)
    static.install(app, immutable=settings.is_production)
    site.install(app)
    return app
