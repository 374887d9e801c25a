"""The docs as pages at /guide: the Markdown files of the repository as HTML, without resources of other sites.

HTML in the files is escaped, and links other than to pages of the docs and https:// are removed, although the
files are trusted.
"""

import asyncio
import posixpath
import re
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

from fastapi import FastAPI
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from game.core import webpages
from game.core.errors import NotFound
from game.core.schema import ROOT

BASE: Final = "/guide"
_IMAGES: Final = "docs/images"
_FIRST: Final = ("README.md", "docs/back-office.md")
_GROUPS: Final = {"docs": "", "docs/decisions": "Decisions"}


class Page(NamedTuple):
    """A page of the docs; `source` is its file, relative to the repository."""

    source: str
    url: str
    title: str


def install(app: FastAPI) -> None:
    """Serve the pages and their images."""
    if (ROOT / _IMAGES).is_dir():
        app.mount(f"{BASE}/images", _Images(directory=ROOT / _IMAGES), name="guide-images")
    app.add_route(BASE, _start, include_in_schema=False)
    app.add_route(BASE + "/{name:path}", _show, include_in_schema=False)


async def _start(_: Request) -> Response:
    return RedirectResponse(pages()[0].url)


async def _show(request: Request) -> Response:
    url = f"{BASE}/{request.path_params['name']}".rstrip("/")
    page = next((page for page in pages() if page.url == url), None)
    if page is None:
        raise NotFound("The docs do not have this page.")
    content = await asyncio.to_thread(_content, page)
    groups = [(group, list(members)) for group, members in groupby(pages(), _group)]
    return webpages.render("guide.html", title=page.title, here=page, groups=groups, content=content)


class _Images(StaticFiles):
    """The folder of images, without other files in it."""

    async def get_response(self, path: str, scope: Any) -> Response:
        return await super().get_response(path if Path(path).suffix == ".png" else "", scope)


@cache
def pages() -> Sequence[Page]:
    """All pages, in the order of the menu; files may be missing in an installation."""
    first = [ROOT / source for source in _FIRST if (ROOT / source).is_file()]
    others = sorted((ROOT / "docs").glob("*.md")) + sorted((ROOT / "docs" / "decisions").glob("*.md"))
    return [_page(path) for path in dict.fromkeys([*first, *others])]


def _page(path: Path) -> Page:
    source = path.relative_to(ROOT).as_posix()
    title = path.read_text().lstrip().partition("\n")[0].lstrip("# ")
    if source == "README.md":
        return Page(source, f"{BASE}/first-steps", "First steps")
    return Page(source, f"{BASE}/{source.removeprefix('docs/').removesuffix('.md')}", title)


def _group(page: Page) -> str:
    return _GROUPS.get(posixpath.dirname(page.source), "")


@cache
def _content(page: Page) -> Markup:
    """The HTML of a page."""
    # Without `html`, tags in the text are escaped.
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse((ROOT / page.source).read_text())
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", _slug(tokens[number + 1].content))
        token.children = token.children and _with_links(token.children, page)
    html = markdown.renderer.render(tokens, markdown.options, {})
    html = html.replace("<table>", '<div class="wp-table"><table>').replace("</table>", "</table></div>")
    return Markup(html)  # noqa: S704 - the renderer has escaped the text


def _slug(heading: str) -> str:
    return re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-"))


def _with_links(tokens: Sequence[Token], page: Page) -> list[Token]:
    """The tokens of a line with resolved links and images; a broken link becomes its text."""
    resolved, dropped = [], False
    for token in tokens:
        if token.type == "image":
            token.attrSet("src", _resolve(str(token.attrGet("src")), page) or "")
            token.attrSet("loading", "lazy")
        if token.type == "link_open":
            url = _resolve(str(token.attrGet("href")), page)
            dropped = url is None
            token.attrSet("href", url or "")
        if not (dropped and token.type in ("link_open", "link_close")):
            resolved.append(token)
    return resolved


def _resolve(link: str, page: Page) -> str | None:
    """The URL of a link in a page; None for a file that is not part of the docs."""
    if link.startswith(("https://", "#")):
        return link
    path, _, fragment = link.partition("#")
    source = posixpath.normpath(posixpath.join(posixpath.dirname(page.source), path))
    if source.startswith(f"{_IMAGES}/"):
        return f"{BASE}/images/{source.removeprefix(f'{_IMAGES}/')}"
    target = next((other.url for other in pages() if other.source == source), None)
    return target and target + (f"#{fragment}" if fragment else "")
