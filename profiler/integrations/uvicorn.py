"""uvicorn: what is recorded is written before it dies of the signal that ended it."""

from __future__ import annotations

import functools
import sys
from typing import Any

from flamespan.profiler import lifecycle

_DONE = "_flamespan"


def flush_at_end() -> None:
    """Write as a server of uvicorn has shut down, if uvicorn is what runs this application.

    It raises the signal that ended it again, with the signal's own action, so nothing runs at the
    process's exit; and an application without lifespan, as Django, is not told. Doors call this
    as the application is made, and a recording once a second, for programs without a door of ours.
    A second call does nothing.
    """
    server = getattr(sys.modules.get("uvicorn.server"), "Server", None)
    shutdown = getattr(server, "shutdown", None)
    if server is None or shutdown is None or hasattr(shutdown, _DONE):
        return

    @functools.wraps(shutdown)
    async def ended(*args: Any, **more: Any) -> None:
        try:
            await shutdown(*args, **more)
        finally:
            running = lifecycle.running()
            if running is not None:
                running.recorder.flush()

    setattr(ended, _DONE, True)
    server.shutdown = ended
