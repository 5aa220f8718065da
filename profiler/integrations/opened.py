"""A span that one callback opens and another closes, maybe in another thread or task."""

from __future__ import annotations

from typing import Any

from flamespan.profiler.active import ACTIVE, Span
from flamespan.profiler.engine import spancore
from flamespan.profiler.engine.spancore import Scope


class Opened:
    """A span, open and active from here until ``finish``; ``leave`` is for its own context."""

    __slots__ = ("_token", "span")

    def __init__(self, scope: Scope) -> None:
        self.span: Span = scope.begin()
        self._token: Any = spancore.activate(self.span) if self.span.log is not None else None

    def finish(self, error: BaseException | None = None) -> None:
        """Close it, once; where it was opened in another context that one finds it closed."""
        if self.span.log is not None and not self.span.end_ns:
            spancore.finish(self.span, error)
        self.leave()

    def leave(self) -> None:
        """Let what was active before be so again in the context that runs, if it is closed."""
        if self._token is not None and self.span.end_ns and ACTIVE.get() is self.span:
            spancore.deactivate(self.span, self._token)


def begin(scope: Scope, around: Span | None) -> Span:
    """Open a span inside of ``around``, whatever is active here, without making it active."""
    token = ACTIVE.set(around)
    try:
        return scope.begin()
    finally:
        ACTIVE.reset(token)
