"""`python -m game`: the command line."""

from game.cli import app

app(prog_name="python -m game")
