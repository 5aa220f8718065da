"""Names of C functions: which one each call leads to, as ``sys.monitoring`` tells (3.12 on).

Every place in the code that calls something reports once, the first time it does, and is then
switched off: after that it costs nothing. So where one place calls several C functions in turn
(``for f in (len, sum): f(x)``) all of them go by the name of the first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType
from typing import Any

from flamespan.profiler.errors import UsageError

_C_FUNCTIONS = (
    type(len),
    type(str.join),
    type(str.__add__),
    type("".__add__),
    type(dict.__dict__["fromkeys"]),
)
_MONITORING: Any = getattr(sys, "monitoring", None)
_FIRST_TOOL, _TOOLS = 3, 6
"""Ids 0 to 2 and 5 have names that others expect: debugger, coverage, profiler, optimizer."""


class CallNames:
    """Listens to calls from ``start`` to ``stop`` and hands over what they lead to."""

    def __init__(self, note: Callable[[CodeType, int, str], None]) -> None:
        if _MONITORING is None:
            raise UsageError("c_calls needs Python 3.12 or later: sys.monitoring came with it")
        self._note = note
        self._tool: int | None = None

    def start(self) -> None:
        """Begin; nothing is heard where other tools have taken every id."""
        for tool in (*range(_FIRST_TOOL, _TOOLS), *range(_FIRST_TOOL)):
            if _MONITORING.get_tool(tool) is None:
                _MONITORING.use_tool_id(tool, "flamespan")
                self._tool = tool
                call = _MONITORING.events.CALL
                _MONITORING.register_callback(tool, call, self._called)
                _MONITORING.set_events(tool, call)
                return

    def stop(self) -> None:
        """Switch every place off and give the tool's id back."""
        tool, self._tool = self._tool, None
        if tool is not None:
            _MONITORING.set_events(tool, 0)
            _MONITORING.register_callback(tool, _MONITORING.events.CALL, None)
            _MONITORING.free_tool_id(tool)

    def _called(self, code: CodeType, offset: int, function: Any, _: Any) -> Any:
        name = name_of(function)
        if name:
            self._note(code, offset // 2, name)
        return _MONITORING.DISABLE


def name_of(function: Any) -> str:
    """The name of a C function, as ``time.sleep`` or ``str.join``; "" for anything else."""
    if isinstance(function, type):
        builtin = not function.__flags__ & 1 << 9  # not made by a class statement
        return f"{function.__module__}.{function.__qualname__}" if builtin else ""
    if not isinstance(function, _C_FUNCTIONS):
        return ""
    name = getattr(function, "__qualname__", "") or getattr(function, "__name__", "")
    module = getattr(function, "__module__", None)
    return f"{module}.{name}" if isinstance(module, str) and module != "builtins" else str(name)
