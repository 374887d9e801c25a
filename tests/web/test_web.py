"""The scripts of the players' page, of what needs no browser: in the Node.js that Playwright brings."""

import subprocess
from pathlib import Path

import playwright
import pytest

HERE = Path(__file__).parent
NODE = next((Path(playwright.__file__).parent / "driver").glob("node*"))


@pytest.mark.parametrize("path", sorted(HERE.glob("*.test.mjs")), ids=lambda path: path.name.partition(".")[0])
def test_module(path: Path) -> None:
    done = subprocess.run([NODE, "--test", path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
