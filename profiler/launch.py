"""Runs a program inside this interpreter by python's own rules: argv, sys.path, __main__, exit code."""

from __future__ import annotations

import builtins
import importlib.machinery
import os
import runpy
import signal
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flamespan.profiler.errors import UsageError


@dataclass(frozen=True, slots=True)
class Program:
    """What to run: a ``kind`` ("script", "module", "code"), its ``target`` and arguments."""

    kind: str
    target: str
    arguments: Sequence[str]

    @classmethod
    def of(
        cls, module: Sequence[str] | None, code: Sequence[str] | None, script: Sequence[str]
    ) -> Program | None:
        """From the words of the command line; None where there is no program among them."""
        for kind, words in (("module", module), ("code", code)):
            if words:
                return cls(kind, words[0], [*words[1:], *script])
        words = list(script[1:] if script and script[0] == "--" else script)
        return cls("script", words[0], words[1:]) if words else None

    @property
    def name(self) -> str:
        """A name for the recording: the script's or the module's own."""
        if self.kind == "code":
            return "python"
        if self.kind == "module":
            return self.target
        path = os.path.abspath(self.target)
        stem = os.path.splitext(os.path.basename(path))[0]
        return os.path.basename(os.path.dirname(path)) if stem == "__main__" else stem

    def check(self) -> None:
        """UsageError where a script cannot be opened, in python's own words."""
        if self.kind != "script" or os.path.isdir(self.target):
            return
        try:
            with open(self.target, "rb"):
                pass
        except OSError as error:
            reason = f"[Errno {error.errno}] {error.strerror}"
            raise UsageError(
                f"can't open file {os.path.abspath(self.target)!r}: {reason}"
            ) from None

    def prepare(self) -> None:
        """Set sys.argv, sys.path[0] and a fresh ``__main__`` as python would."""
        main = types.ModuleType("__main__")
        main.__dict__["__builtins__"] = builtins
        sys.modules["__main__"] = main
        first = {"script": self.target, "module": "-m", "code": "-c"}[self.kind]
        sys.argv = [first, *self.arguments]
        if not getattr(sys.flags, "safe_path", False):
            # Our own entry stands in front: the folder of the flamespan command.
            sys.path[0] = self._first_path()

    def _first_path(self) -> str:
        if self.kind != "script":
            return os.getcwd() if self.kind == "module" else ""
        if os.path.isdir(self.target):
            return self.target
        return os.path.dirname(os.path.realpath(self.target))

    def run(self) -> int:
        """Run to the end; the exit code, ``-SIGINT`` for an unhandled KeyboardInterrupt."""
        step: Callable[[], None] = {
            "script": self._run_script,
            "module": self._run_module,
            "code": self._run_code,
        }[self.kind]
        try:
            step()
        except SystemExit as end:
            return _exit_code(end.code)
        except BaseException as error:
            _show(error)
            return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
        return 0

    def _run_script(self) -> None:
        path = os.path.abspath(self.target)
        if os.path.isdir(path) or _is_archive(path):
            runpy.run_path(self.target, run_name="__main__")
            return
        main = sys.modules["__main__"]
        loader = importlib.machinery.SourceFileLoader("__main__", path)
        main.__file__ = path
        main.__loader__ = loader
        main.__dict__["__cached__"] = None
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
        exec(code, main.__dict__)

    def _run_module(self) -> None:
        # What ``python -m`` itself calls; run_module would take __main__ away at the end.
        runpy._run_module_as_main(self.target)  # type: ignore[attr-defined]

    def _run_code(self) -> None:
        code = compile(self.target + "\n", "<string>", "exec", dont_inherit=True)
        exec(code, sys.modules["__main__"].__dict__)


def _is_archive(path: str) -> bool:
    with open(path, "rb") as file:
        if file.read(4) == b"PK\x03\x04":
            return True
    return path.endswith((".pyc", ".pyz", ".zip"))


def _exit_code(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    print(code, file=sys.stderr)
    return 1


def _show(error: BaseException) -> None:
    """Report an exception as python does, beginning with the program's own frames."""
    trace = error.__traceback__
    ours = (__file__, runpy.__file__, "<frozen runpy>")
    while trace is not None and trace.tb_frame.f_code.co_filename in ours:
        trace = trace.tb_next
    error.__traceback__ = trace
    sys.stdout.flush()
    sys.excepthook(type(error), error, trace)
