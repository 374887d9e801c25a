"""Pages for files: import of maps and universes, upload of pictures, export of maps."""

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote
from uuid import UUID, uuid4

from fastapi import Request, Response
from starlette.responses import RedirectResponse

from admin import api
from admin.views.base import link
from game.core.errors import NotFound, Problem

if TYPE_CHECKING:
    from admin.site import Site

FORMATS: Final = (
    ("tiled", "Tiled map (TMX)", "For the map editor Tiled. Keeps what Tiled itself had put into the map."),
    ("tmj", "Tiled map (JSON)", "The same as JSON, as Phaser, Godot plugins and other engines read it."),
    ("ldtk", "LDtk project", "For the level editor LDtk."),
    ("uvtt", "Universal VTT", "For Foundry, Roll20, Fantasy Grounds and other tabletops: a picture with walls."),
    ("text", "Plain text", "The cells of the map as characters, with the legend below."),
)


class _FormPage(NamedTuple):
    view: str
    title: str


_FORMS: Final = {
    "import-maps": _FormPage("map", "Import maps"),
    "import-universe": _FormPage("universe", "Import a universe"),
    "upload-pictures": _FormPage("asset", "Upload pictures"),
}


async def import_maps(site: "Site", request: Request) -> Response:
    """The page that imports maps from files of other programs into a universe."""
    universe_id = request.query_params.get("universe_id", "")
    if request.method == "GET":
        return await _form(site, request, "import-maps", universe_id)
    await site.view("universe").row(universe_id)
    try:
        answer = await _send(request, "/maps/import", {"universe_id": universe_id})
    except Problem as problem:
        return await _form(site, request, "import-maps", universe_id, problem)
    body = answer.json()
    maps = body["maps"] or [body["map"]]
    if len(maps) == 1 and not body["warnings"]:
        return RedirectResponse(link("map", "details", maps[0]["id"], done="imported"), 303)
    context = {"maps": maps, "warnings": body["warnings"], "format": body["format"], "title": "Maps imported"}
    return await site.show(request, "imported", {**context, "universe_id": universe_id, "here": "map"})


async def import_universe(site: "Site", request: Request) -> Response:
    """The page that imports a universe from an exported file."""
    if request.method == "GET":
        return await _form(site, request, "import-universe")
    try:
        answer = await _send(request, "/universes/import")
    except Problem as problem:
        return await _form(site, request, "import-universe", problem=problem)
    return RedirectResponse(link("universe", "details", answer.json()["id"], done="imported"), 303)


async def upload_picture(site: "Site", request: Request) -> Response:
    """The page that uploads pictures to a universe; the script of the page sends them one by one."""
    universe_id = request.query_params.get("universe_id", "")
    if request.method == "GET":
        return await _form(site, request, "upload-pictures", universe_id)
    await site.view("universe").row(universe_id)
    try:
        answer = await _send(request, f"/universes/{UUID(universe_id)}/assets")
    except Problem as problem:
        return await _form(site, request, "upload-pictures", universe_id, problem)
    asset_id = answer.json()["id"]
    if map_id := request.query_params.get("map_id"):
        return RedirectResponse(link("map", "background", quote(map_id, safe=""), asset_id=asset_id), 303)
    return RedirectResponse(link("asset", "details", asset_id, done="uploaded"), 303)


async def export_map(site: "Site", request: Request) -> Response:
    """The page that offers a map in the formats of other programs."""
    row = await site.view("map").row(request.path_params["pk"])
    context = {"row": row, "formats": FORMATS, "here": "map", "title": f"Export {row.name}"}
    return await site.show(request, "export-map", context)


async def _send(request: Request, path: str, query: dict[str, Any] | None = None) -> api.ApiResponse:
    """Send the files of a form to the API. With the key of the form, a second submission gets the response of the
    first."""
    headers = {"Idempotency-Key": key} if (key := request.query_params.get("key")) else {}
    return await api.call(request, "POST", path, query=query, headers=headers, forward_body=True)


async def _form(
    site: "Site", request: Request, template: str, universe_id: str = "", problem: Problem | None = None
) -> Response:
    """A page with a form for files. If a universe is needed, it has to be chosen first."""
    universe = await _chosen(site, universe_id)
    context = {
        "universe": universe,
        "universes": await site.view("universe").universe_options(universe and universe.id),
        "key": uuid4(),
        "here": _FORMS[template].view,
        "title": _FORMS[template].title,
    }
    return await site.show(request, template, context, problem)


async def _chosen(site: "Site", universe_id: str) -> Any:
    """The chosen universe, if the user may see it; None if none was chosen."""
    try:
        return await site.view("universe").row(universe_id) if universe_id else None
    except NotFound:
        return None
