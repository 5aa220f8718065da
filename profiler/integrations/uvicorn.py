"""uvicorn: what is recorded is written before it dies of the signal that ended it."""

from __future__ import annotations

import functools
import signal
import sys
from collections.abc import Iterator
from typing import Any

from flamespan.profiler import lifecycle, session

_DONE = "_flamespan"


def end_with_it() -> None:
    """Write as a server of uvicorn has shut down, if uvicorn is loaded.

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
    async def ended(self: Any, *args: Any, **more: Any) -> None:
        try:
            await shutdown(self, *args, **more)
        finally:
            session.flush()
            self._captured_signals = _Signals(getattr(self, "_captured_signals", ()))

    setattr(ended, _DONE, True)
    server.shutdown = ended


class _Signals(list[int]):
    """Those that a server has got. It goes through them, last first, to raise them again.

    Only then are the handlers of before back, so only then it shows whether one is deadly.
    """

    def __reversed__(self) -> Iterator[int]:
        if signal.SIGTERM in self and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            lifecycle.end("exit")
        return super().__reversed__()
