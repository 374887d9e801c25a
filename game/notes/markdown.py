"""Renders Markdown of untrusted authors as safe HTML.

HTML in Markdown is escaped, and the result is sanitized as well. Links may use http, https and mailto. Pictures
are only from this server, so that no other site learns who reads a note.
"""

import re
from uuid import UUID

import nh3
from markdown_it import MarkdownIt

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_TAGS = {
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "blockquote", "pre", "code", "em", "strong", "s"),
    *("ul", "ol", "li", "a", "img", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title"},
    "ol": {"start"},
    "td": {"style"},
    "th": {"style"},
}
PICTURE = re.compile(r"/assets/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\?size=[a-z]+)?")
"""The URL of a picture of this server in a note."""
_ALIGNMENTS = {f"text-align:{side}" for side in ("left", "right", "center")}


def _kept(tag: str, attribute: str, value: str) -> str | None:
    """The value of an attribute, None to leave it out."""
    if attribute == "style":
        return value if value in _ALIGNMENTS else None
    if tag == "img" and attribute == "src":
        return value if PICTURE.fullmatch(value) else None
    return value


def pictures(body: str) -> set[UUID]:
    """The ids of the pictures that Markdown may show."""
    return {UUID(found) for found in PICTURE.findall(body)}


def as_html(body: str) -> str:
    """Markdown (CommonMark, with tables and strikethrough) as HTML."""
    return nh3.clean(
        _MARKDOWN.render(body),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_kept,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
