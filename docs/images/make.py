"""Make demo-maps.png, the picture of the README, from the demo maps: `python docs/images/make.py`."""

import json
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from game.grid.drawing import Region, draw_png  # noqa: E402 - run as a script, the project is not on the path

HEIGHT, GAP = 456, 14
# The map's file; the region in cells: x, y, width, height; the size of a cell and the width to cut to, in pixels.
PANELS = (
    ("lantern-and-eel", (0, 0, 28, 19), 24, 672),
    ("undermere-priory", (34, 14, 19, 19), 24, 456),
    ("tolling-coast", (14, 17, 28, 33), 16, 456),
)


def main() -> None:
    """Cut each picture to its middle, set them side by side and save them in 256 colours."""
    width = sum(panel[3] for panel in PANELS) + GAP * (len(PANELS) - 1)
    sheet, left = Image.new("RGB", (width, HEIGHT), "white"), 0
    for name, (x, y, columns, rows), cell_size, across in PANELS:
        document = json.loads((ROOT / "seed" / "maps" / f"{name}.json").read_text(encoding="utf-8"))["grid_data"]
        picture = draw_png(Region.of(document, x, y, columns, rows), cell_size=cell_size)
        with Image.open(BytesIO(picture)) as panel:
            cut_x, cut_y = (panel.width - across) // 2, (panel.height - HEIGHT) // 2
            sheet.paste(panel.crop((cut_x, cut_y, cut_x + across, cut_y + HEIGHT)), (left, 0))
        left += across + GAP
    palette = sheet.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=2)
    sheet.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(HERE / "demo-maps.png", optimize=True)


if __name__ == "__main__":
    main()
