"""Copies maps."""

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import Request, Response
from starlette.responses import RedirectResponse

from admin import api, writes
from admin.views.base import link
from game.core.models import MAX_NAME

if TYPE_CHECKING:
    from admin.site import Site

_SUFFIX = " (copy)"


async def copy_map(site: "Site", request: Request) -> Response:
    """Create a map in the same universe with the same content."""
    row = await site.view("map").row(request.path_params["pk"])
    answer = await api.call(request, "GET", f"/maps/{row.id}")
    source: dict[str, Any] = await asyncio.to_thread(orjson.loads, answer.body)
    fields = {
        "name": f"{source['name'][: MAX_NAME - len(_SUFFIX)]}{_SUFFIX}",
        "description": source["description"],
        "grid_data": source["grid_data"],
    }
    async with site.session_maker() as session, session.begin():
        created = await writes.create_map(session, row.universe_id, fields)
    return RedirectResponse(link("map", "details", created, done="copied"), 303)
