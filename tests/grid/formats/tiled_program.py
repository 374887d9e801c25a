"""Tiled itself: what it makes of a file of ours."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from game.grid import formats

needs_tiled = pytest.mark.skipif(
    shutil.which("tiled") is None, reason="Tiled is not installed (Debian: apt-get install tiled)."
)


def run(folder: Path, program: str, *arguments: str) -> None:
    """Run Tiled or its rasterizer in a folder, without a screen."""
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": str(runtime)}
    subprocess.run(
        [program, *arguments], cwd=folder, env=environment, check=True, capture_output=True, timeout=120
    )


def through_tiled(
    written: formats.Exported, folder: Path, along: Mapping[str, bytes], *options: str, kind: str = "json"
) -> Any:
    """A written map, opened by Tiled and exported as JSON (parsed), or as `tmx` (bytes)."""
    for name, data in along.items():
        (folder / name).write_bytes(data)
    (folder / written.filename).write_bytes(written.content)
    run(folder, "tiled", "--export-map", kind, *options, written.filename, f"out.{kind}")
    data = (folder / f"out.{kind}").read_bytes()
    return orjson.loads(data) if kind == "json" else data
