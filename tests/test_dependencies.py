"""Every package that the code imports is declared in pyproject.toml, not only installed with another package."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest

from game.core.schema import ROOT

_OURS = {"admin", "game", "migrations", "seed", "tests", "bench"}
_DISTRIBUTIONS = packages_distributions()
_PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def canonical(requirement: str) -> str:
    name: str = re.split(r"[\[<>=;~! ]", requirement)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


RUNTIME = {canonical(one) for one in _PYPROJECT["project"]["dependencies"]}
DEVELOPMENT = RUNTIME | {canonical(one) for one in _PYPROJECT["dependency-groups"]["dev"]}


def imported(folder: str) -> Iterator[tuple[str, str]]:
    """Each top-level package that a folder's modules import from elsewhere, with the file that does."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [str(node.module)]
            for name in names:
                package = name.partition(".")[0]
                if package not in sys.stdlib_module_names and package not in _OURS:
                    yield package, str(path.relative_to(ROOT))


@pytest.mark.parametrize(
    ("folder", "declared"),
    [("admin", RUNTIME), ("game", RUNTIME), ("seed", RUNTIME), ("migrations", RUNTIME), ("tests", DEVELOPMENT)],
)
def test_imports_are_declared(folder: str, declared: set[str]) -> None:
    missing = {
        (file, package)
        for package, file in imported(folder)
        if not declared & {canonical(one) for one in _DISTRIBUTIONS.get(package, [])}
    }
    assert missing == set()
