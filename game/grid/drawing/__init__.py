"""Draws maps: a scene is composed, and rendered as PNG or SVG. Pure; returns bytes or text."""

from game.grid.drawing.png import draw_background, draw_png
from game.grid.drawing.scene import PictureError, PictureTooLarge, Region
from game.grid.drawing.svg import draw_svg

__all__ = ["PictureError", "PictureTooLarge", "Region", "draw_background", "draw_png", "draw_svg"]
