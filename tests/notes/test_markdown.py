"""Markdown as HTML: what it makes, and that nothing in it runs in a browser."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.notes.markdown import as_html, pictures


def test_what_notes_need() -> None:
    html = as_html(
        "# The bell\n\nIt rang **twice**. ~~Once.~~\n\n- [a list](https://example.com)\n\n|a|\n|:-:|\n|1|\n"
    )
    for part in (
        "<h1>The bell</h1>",
        "<strong>twice</strong>",
        "<s>Once.</s>",
        '<a href="https://example.com" rel="noopener noreferrer nofollow">a list</a>',
        '<td style="text-align:center">1</td>',
    ):
        assert part in html


@pytest.mark.parametrize(
    "body",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](java\nscript:alert(1))",
        "<javascript:alert(1)>",
        "[x]: javascript:alert(1)\n\n[x]",
        "[x](data:text/html,<script>alert(1)</script>)",
        "[x](vbscript:alert(1))",
        "![x](javascript:alert(1))",
        "![x](https://elsewhere.example/who-reads-this.png)",
        "![x](//elsewhere.example/who-reads-this.png)",
        "![x](/assets/../../elsewhere)",
        '[x](https://example.com "\\" onmouseover=alert(1) x=\\"")',
        "```<script>\nalert(1)\n```",
        "<svg/onload=alert(1)>",
        '<a href="x" style="position:fixed">x</a>',
        "|a|\n|-|\n|<iframe src=x>|",
    ],
)
def test_what_is_left_out(body: str) -> None:
    tags = re.findall(r"<[^>]*>", as_html(body))
    for tag in tags:
        assert not re.search(r"script|\bon\w+=|data:|elsewhere|iframe|svg|fixed", tag, re.IGNORECASE) or (
            # A title is text, with its quotes escaped.
            "onmouseover" in tag and "&quot;" in tag
        ), tag


def test_pictures_of_this_server_are_shown() -> None:
    picture = "/assets/01a1fbbf-0000-7000-8000-000000000000?size=thumbnail"
    assert f'<img src="{picture}" alt="x">' in as_html(f"![x]({picture})")
    assert pictures(f"![x]({picture})") == {UUID("01a1fbbf-0000-7000-8000-000000000000")}


@given(st.text("ab *_`[]()<>!#|-\n&;:/\"'", max_size=80))
def test_only_these_tags_come_out(body: str) -> None:
    allowed = "h[1-6]|p|br|hr|blockquote|pre|code|em|strong|s|[uo]l|li|a|img|table|thead|tbody|tr|th|td"
    for name in re.findall(r"<([a-z0-9]+)", as_html(body)):
        assert re.fullmatch(allowed, name)
