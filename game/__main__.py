"""`python -m game`: the command line."""

import signal

# While modules load there is nothing to unwind: Ctrl-C just ends it. Where it is ignored, that stays so.
if interruptible := signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from game.cli import app

if interruptible:
    signal.signal(signal.SIGINT, signal.default_int_handler)
app(prog_name="python -m game")
