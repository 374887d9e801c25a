"""Files for browsers: their addresses, what is served there, and for how long browsers keep it."""

import re
from urllib.parse import urljoin

import httpx2
import pytest
from fastapi import FastAPI

from game.core import static
from game.core.schema import ROOT

MODULES = [
    path.relative_to(ROOT).as_posix()
    for folder in ("admin/static", "web")
    for path in sorted((ROOT / folder).rglob("*.js"))
]
IMPORT = re.compile(r"(?:from|import) '(\.[^']+)'|import\('(\.[^']+)'\)")


class TestAddress:
    def test_changes_with_the_content_of_any_file(self) -> None:
        assert re.fullmatch(r"/static/[0-9a-f]{16}/web/shared/api\.js", static.url("web/shared/api.js"))

    def test_of_no_file(self) -> None:
        for path in ("web/shared/none.js", "../game/main.py", "game/main.py", "web", "admin/site.py"):
            with pytest.raises(FileNotFoundError):
                static.url(path)


class TestModules:
    def test_are_all_that_a_page_imports(self) -> None:
        addresses = static.modules("web/play/main.js", "web/play/map/stage.js")
        assert len(set(addresses)) == len(addresses)
        for path in ("web/play/main.js", "web/shared/geometry.js", "web/vendor/pixi.js", "web/play/map/fog.js"):
            assert static.url(path) in addresses
        # What `main.js` needs is first.
        assert addresses.index(static.url("web/shared/geometry.js")) < addresses.index(
            static.url("web/play/map/stage.js")
        )
        # What only a type is taken from is not loaded.
        assert static.url("web/shared/renderer.js") not in addresses


class TestServing:
    @pytest.mark.parametrize("path", MODULES)
    async def test_modules_and_what_they_import(self, client: httpx2.AsyncClient, path: str) -> None:
        answer = await client.get(static.url(path))
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
        assert answer.headers["x-content-type-options"] == "nosniff"
        for found in IMPORT.finditer(answer.text):
            address = urljoin(static.url(path), found[1] or found[2])
            assert (await client.get(address)).status_code == 200, address

    @pytest.mark.parametrize("path", [path for path in MODULES if path.startswith("web/shared/")])
    def test_shared_modules_import_no_others(self, path: str) -> None:
        for found in IMPORT.finditer((ROOT / path).read_text()):
            assert re.fullmatch(r"\./[\w-]+\.js", found[1] or found[2]), f"{path} imports {found[0]}"

    async def test_is_revalidated_while_files_may_change(self, client: httpx2.AsyncClient) -> None:
        address = static.url("web/shared/api.js")
        answer = await client.get(address)
        assert answer.headers["cache-control"] == "no-cache"
        again = await client.get(address, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.headers["cache-control"]) == (304, "no-cache")

    async def test_is_kept_where_files_never_change(self) -> None:
        app = FastAPI()
        static.install(app, immutable=True)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as client:
            answer = await client.get(static.url("web/shared/api.js"))
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            missing = await client.get(static.url("web/shared/api.js").replace("api", "none"))
            assert "cache-control" not in missing.headers

    async def test_only_files_for_browsers(self, client: httpx2.AsyncClient) -> None:
        web = static.url("web/shared/api.js").removesuffix("/shared/api.js")
        for path in (
            "/",
            "/shared",
            "/shared/",
            "/../game/main.py",
            "/%2e%2e/game/main.py",
            "/..%2fgame/main.py",
            "/shared/%00.js",
        ):
            answer = await client.get(web + path)
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), path
        other = re.sub(r"[0-9a-f]{16}", "0" * 16, static.url("web/shared/api.js"))
        assert (await client.get(other)).status_code == 404
