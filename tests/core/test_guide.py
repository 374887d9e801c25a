"""The start page and the docs as pages: every link leads somewhere, nothing comes from other sites."""

import re
from html.parser import HTMLParser

import httpx2
import pytest

from game.core import guide
from game.core.schema import ROOT

PAGES = {page.url: page for page in guide.pages()}


class Elements(HTMLParser):
    """The addresses and the ids of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("href", "src"):
                self.links.append(value or "")
            if name == "id":
                self.ids.add(value or "")


class TestStart:
    async def test_leads_to_the_three_parts(self, client: httpx2.AsyncClient) -> None:
        page = await client.get("/")
        assert page.status_code == 200
        for path in ("/admin/", "/docs", "/guide"):
            assert f'href="{path}"' in page.text
        for link in Elements(page.text).links:
            answer = await client.get(link, follow_redirects=True)
            assert answer.status_code == 200, link

    @pytest.mark.parametrize("path", ["/", "/guide/first-steps"])
    async def test_needs_no_other_site_and_nothing_inline(self, client: httpx2.AsyncClient, path: str) -> None:
        page = await client.get(path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert not re.search(r"<script>|\sstyle=|\son\w+=", page.text)


class TestPages:
    def test_each_file_is_one(self) -> None:
        files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")}
        assert {page.source for page in guide.pages()} == files | {"README.md"}

    async def test_the_first_is_shown_first(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/guide")
        assert answer.headers["location"] == "/guide/first-steps"

    @pytest.mark.parametrize("url", PAGES)
    async def test_every_link_leads_somewhere(self, client: httpx2.AsyncClient, url: str) -> None:
        page = await client.get(url)
        assert page.status_code == 200
        elements = Elements(page.text)
        assert set(PAGES) <= set(elements.links)
        for link in elements.links:
            if link.startswith("https://"):
                continue
            path, _, fragment = link.partition("#")
            target = await client.get(path, follow_redirects=True) if path else page
            assert target.status_code == 200, link
            assert not fragment or fragment in Elements(target.text).ids, link

    @pytest.mark.parametrize(
        "path",
        ["nothing", "../pyproject.toml", "..%2fpyproject.toml", "%2fetc%2fpasswd", "images/make.py", "images/"],
    )
    async def test_there_are_no_others(self, client: httpx2.AsyncClient, path: str) -> None:
        answer = await client.get(f"/guide/{path}")
        assert answer.status_code == 404


class TestContent:
    """What the Markdown of a page becomes."""

    @pytest.mark.parametrize(
        ("link", "url"),
        [
            ("../settings.md", "/guide/settings"),
            ("../back-office.md#keys", "/guide/back-office#keys"),
            ("../images/maps.png", "/guide/images/maps.png"),
            ("../../README.md", "/guide/first-steps"),
            ("https://example.com/", "https://example.com/"),
            ("#keys", "#keys"),
            ("../../compose.yaml", None),
            ("javascript:alert(1)", None),
            ("//evil.example/x.md", None),
            ("../images/../../.env", None),
        ],
    )
    def test_links(self, link: str, url: str | None) -> None:
        page = guide.Page("docs/decisions/x.md", "/guide/decisions/x", "X")
        assert guide._resolve(link, page) == url

    def test_html_is_text(self, monkeypatch: pytest.MonkeyPatch) -> None:
        text = "# A <b>title</b>\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1)) [y](nowhere.md)\n"
        monkeypatch.setattr("pathlib.Path.read_text", lambda _: text)
        content = str(guide._content(guide.Page("docs/odd.md", "/guide/odd", "Odd")))
        assert "<script" not in content
        assert "<b>" not in content
        assert "<a" not in content
        assert "&lt;script&gt;" in content
        assert 'id="a-btitleb"' in content

    def test_tables_scroll_by_themselves(self) -> None:
        page = next(page for page in guide.pages() if page.source == "docs/back-office.md")
        assert '<div class="wp-table"><table>' in guide._content(page)
