"""`python -m game`: the command line."""

import gc
import signal

# While modules are loaded, Ctrl-C ends the process without a traceback, unless it is ignored.
if interruptible := signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# Nearly all objects that are created during loading stay, so collecting garbage meanwhile would waste a seventh of
# the time.
gc.disable()

from game.cli import app  # noqa: E402 - the code above must run before it is loaded

gc.enable()

if interruptible:
    signal.signal(signal.SIGINT, signal.default_int_handler)
app(prog_name="python -m game")
