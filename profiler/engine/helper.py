"""A thread in Python that calls a function now and then, for engines that have nothing better."""

from __future__ import annotations

from collections.abc import Callable

from flamespan.profiler import systhreads
from flamespan.profiler.systhreads import SystemThread


class ThreadHelper:
    """Calls ``function`` until it is stopped; see ``engine.Engine.call_regularly``.

    ``at_end`` is given the thread's ident, as it may become another thread's.
    """

    def __init__(
        self,
        function: Callable[[], float | None],
        first_s: float,
        name: str,
        at_end: Callable[[int], None],
    ) -> None:
        self._function = function
        self._at_end = at_end
        self._stop_lock = systhreads.allocate_lock()
        self._stop_lock.acquire()
        self._thread = SystemThread(self._run, (first_s,), name)
        self._thread.start()
        self.ident = self._thread.ident or 0

    def stop(self, timeout_s: float, /) -> bool:
        """No more calls; False: one is still under way after ``timeout_s``."""
        if self._stop_lock.locked():
            self._stop_lock.release()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self, rest_s: float | None) -> None:
        try:
            while not self._stop_lock.acquire(timeout=max(0.0, rest_s or 0.0)):
                rest_s = self._function()
        finally:
            self._at_end(systhreads.get_ident())
