"""The history of a map: changes, earlier states, and restoring them."""

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson
from fastapi import Request, Response
from starlette.responses import RedirectResponse

from admin import api
from admin.scope import person
from admin.views.base import link
from game.core.compute import Compute
from game.core.errors import NotFound, PreconditionFailed, Problem
from game.grid.drawing.overview import draw_overview

if TYPE_CHECKING:
    from admin.site import Site

_PAGE_SIZE = 25
_PIXELS = 1200


async def show_history(site: "Site", request: Request, problem: Problem | None = None) -> Response:
    """The changes of a map, newest first, with the state of the map after the selected one."""
    view = site.view("map")
    row = await view.row(request.path_params["pk"])
    query = {"limit": _PAGE_SIZE, **_numbers(request, "cursor")}
    page = (await api.call(request, "GET", f"/maps/{row.id}/history", query=query)).json()
    context = {
        "row": row,
        "entries": page["items"],
        "next_cursor": page["next_cursor"],
        "selected": _numbers(request, "seq").get("seq"),
        "names": await view.names([row]),
        "here": "map",
        "title": f"History of {row.name}",
    }
    return await site.show(request, "history", context, problem)


async def restore_map(site: "Site", request: Request) -> Response:
    """Restore a map to its state after an event, unless it has changed since the page was opened."""
    row = await site.view("map").row(request.path_params["pk"])
    form = await site.form_data(request)
    try:
        seq, version = (int(str(form[name])) for name in ("seq", "version"))
        headers = {"If-Match": f'"{version}"'}
        await api.call(request, "POST", f"/maps/{row.id}/restore", json={"seq": seq}, headers=headers)
    except (KeyError, ValueError):
        raise NotFound from None
    except Problem as problem:
        if problem.status_code == PreconditionFailed.status:
            problem.detail = "The map has changed since you opened this page. The list shows the new changes."
        return await show_history(site, request, problem)
    return RedirectResponse(link("map", "details", row.id, done="restored"), 303)


async def draw_past_map(site: "Site", request: Request) -> Response:
    """A PNG of the state of a map after an event."""
    row = await site.view("map").row(request.path_params["pk"])
    seq = _numbers(request, "seq").get("seq")
    if seq is None:
        raise NotFound
    answer = await api.call(request, "GET", f"/maps/{row.id}", query={"at_seq": seq})
    grid_data, asset_id = await asyncio.to_thread(_grid_of, answer.body)
    background = await _picture(request, asset_id) if asset_id else None
    compute: Compute = request.app.state.compute
    async with compute.slots.slot(person().id):
        content = await compute.run(draw_overview, grid_data, _PIXELS, background)
    # The past does not change.
    headers = {"cache-control": "private, max-age=86400"}
    return Response(content, headers=headers, media_type="image/png")


def _grid_of(body: bytes) -> tuple[bytes, str | None]:
    """The grid data of a map as JSON, and the id of its background picture."""
    grid_data = orjson.loads(body)["grid_data"]
    return orjson.dumps(grid_data), grid_data.get("background", {}).get("asset_id")


async def _picture(request: Request, asset_id: str) -> bytes | None:
    """The file of a picture; None if it was deleted."""
    try:
        return (
            await api.call(request, "GET", f"/assets/{quote(asset_id, safe='')}", query={"size": "background"})
        ).body
    except api.Refused:
        return None


def _numbers(request: Request, name: str) -> dict[str, int]:
    """A parameter with a number of at least 1, by its name; nothing if it is absent."""
    text = request.query_params.get(name, "")
    return {name: int(text)} if text.isascii() and text.isdigit() and 0 < int(text[:16]) < 2**53 else {}
