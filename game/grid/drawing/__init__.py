"""Pictures of maps: a scene of what is to be seen, drawn as PNG or as SVG. Pure: bytes and text come out."""

from game.grid.drawing.png import draw_background, draw_png
from game.grid.drawing.scene import PictureError, PictureTooLarge, Region
from game.grid.drawing.svg import draw_svg

__all__ = ["PictureError", "PictureTooLarge", "Region", "draw_background", "draw_png", "draw_svg"]
