"""Health checks and metrics: for people, load balancers and Prometheus."""

from typing import Literal

from fastapi import APIRouter, Request, Response

from game.core.database import Database
from game.core.errors import Unavailable, documented
from game.core.models import ApiModel
from game.core.schema import current_revision, head_revision

router = APIRouter(tags=["Server"])


class Health(ApiModel):
    """The server is alive."""

    status: Literal["ok"] = "ok"


@router.get("/health")
async def read_health() -> Health:
    """Check whether the server is alive, without using the database."""
    return Health()


@router.get("/health/ready", responses=documented(Unavailable))
async def read_readiness(request: Request) -> Health:
    """Check whether the server is ready: its database answers and is migrated."""
    database: Database = request.app.state.database
    async with database.engine.connect() as connection:
        revision = await current_revision(connection)
    if revision != head_revision():
        raise Unavailable("The database is not migrated to this version: run `python -m game migrate`.")
    return Health()


@router.get(
    "/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"example": "# HELP ..."}}}}
)
async def read_metrics(request: Request) -> Response:
    """Read the server's metrics, in Prometheus' text format."""
    body, media_type = request.app.state.metrics.text()
    return Response(body, media_type=media_type)
