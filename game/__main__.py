"""`python -m game`: the command line."""

import gc
import signal

# While modules load there is nothing to unwind: Ctrl-C just ends it. Where it is ignored, that stays so.
if interruptible := signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# Nearly all of what loading makes stays: to look through it for garbage takes a seventh of the time.
gc.disable()

from game.cli import app  # noqa: E402 - what comes before is about loading it

gc.enable()

if interruptible:
    signal.signal(signal.SIGINT, signal.default_int_handler)
app(prog_name="python -m game")
