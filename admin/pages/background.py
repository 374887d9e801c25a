"""The background picture of a map: the picture, and its position on the grid."""

from collections.abc import Mapping
from math import ceil, isfinite
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from fastapi import Request, Response
from sqlalchemy import select
from sqlmodel import col
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse

from admin import api
from admin.forms import InvalidForm
from admin.views.base import link
from game.assets.models import Asset
from game.core.errors import PreconditionFailed, Problem
from game.grid.document import DEFAULT_LIMITS
from game.maps.models import Map

if TYPE_CHECKING:
    from admin.site import Site

_MAX_PICTURES: Final = 200
_PLACE: Final = {"x": "Left", "y": "Top", "width": "Width", "height": "Height"}
_DEFAULT_CELL: Final = 64
"""The default number of pixels of a picture per cell."""


async def edit_background(site: "Site", request: Request) -> Response:
    """The page that aligns a picture with the grid of a map (GET and POST)."""
    view = site.view("map")
    row = await view.row(request.path_params["pk"])
    if request.method == "GET":
        return await _page(site, request, row, {})
    form = await site.form_data(request)
    try:
        edits = _edits(form)
        headers = {"If-Match": f'"{int(str(form.get("version", "")) or 0)}"'}
        await api.call(request, "POST", f"/maps/{row.id}/edits", json={"edits": edits}, headers=headers)
    except ValueError:
        raise InvalidForm("The form has no version. Open it again.") from None
    except Problem as problem:
        if problem.status_code != PreconditionFailed.status:
            return await _page(site, request, row, form, problem)
        problem.detail = "The map has changed since you opened this page. Check the background, then save again."
        return await _page(site, request, row, {name: form[name] for name in form if name != "version"}, problem)
    return RedirectResponse(link("map", "details", row.id, done="saved"), 303)


def _edits(form: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The edits that a form asks for.

    Raises:
        InvalidForm: a number is missing or invalid.
    """
    asset_id = str(form.get("asset_id", ""))
    if not asset_id or "remove" in form:
        return [{"op": "update_map", "changes": {"background": None}}]
    place = {name: _number(form, name) for name in _PLACE}
    edits: list[dict[str, Any]] = []
    if form.get("resize"):
        width, height = ceil(place["x"] + place["width"]), ceil(place["y"] + place["height"])
        if not (0 < width <= DEFAULT_LIMITS.max_size and 0 < height <= DEFAULT_LIMITS.max_size):
            raise InvalidForm(f"The map would have {width} × {height} cells. Choose larger cells.")
        edits.append({"op": "resize", "width": width, "height": height})
    background = {"asset_id": asset_id, **place}
    return [*edits, {"op": "update_map", "changes": {"background": background}}]


def _number(form: Mapping[str, Any], name: str) -> float:
    try:
        number = round(float(str(form.get(name, ""))), 4)
    except ValueError:
        number = float("nan")
    if not isfinite(number) or abs(number) > 1e6:
        raise InvalidForm(f"{_PLACE[name]} must be a number of cells, such as 12.5.")
    if name in ("width", "height") and number <= 0:
        raise InvalidForm(f"{_PLACE[name]} must be more than 0.")
    return number


async def _page(
    site: "Site", request: Request, row: Map, sent: FormData | Mapping[str, Any], problem: Problem | None = None
) -> Response:
    async with site.session_maker() as session:
        document = col(Map.grid_data)
        columns = document["background"], document["grid_type"].as_string(), col(Map.version)
        stored = (await session.execute(select(*columns).where(col(Map.id) == row.id))).one()
        shown = col(Asset.id), col(Asset.name), col(Asset.width), col(Asset.height)
        ours = select(*shown).where(col(Asset.universe_id) == row.universe_id)
        pictures = (await session.execute(ours.order_by(col(Asset.id).desc()).limit(_MAX_PICTURES))).all()
    background = stored[0] or {}
    chosen = str(sent.get("asset_id") or request.query_params.get("asset_id") or background.get("asset_id") or "")
    picture = next((one for one in pictures if str(one.id) == chosen), None)
    place = {
        **_default_place(row, picture),
        **({name: background[name] for name in _PLACE if name in background}),
        **{name: sent[name] for name in _PLACE if name in sent},
    }
    context = {
        "row": row,
        "background": background,
        "pictures": pictures,
        "picture": picture,
        "place": place,
        "labels": _PLACE,
        "grid_type": stored[1] or "square",
        "version": sent.get("version") or stored[2],
        "key": uuid4(),
        "here": "map",
        "title": "Background",
    }
    return await site.show(request, "background", context, problem)


def _default_place(row: Map, picture: Any) -> dict[str, Any]:
    """The initial position of a picture: as wide as the map; on an empty map, at 64 pixels per cell."""
    if picture is None:
        return {"x": 0, "y": 0, "width": row.width, "height": row.height}
    cell = picture.width / row.width if row.width else _DEFAULT_CELL
    return {"x": 0, "y": 0, "width": round(picture.width / cell, 4), "height": round(picture.height / cell, 4)}
