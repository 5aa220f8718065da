"""Runs a program as ``python`` itself would, so that it cannot tell the difference."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import io
import marshal
import os
import runpy
import sys
import zipfile
from collections.abc import Callable, Sequence
from types import CodeType, ModuleType, TracebackType
from typing import Any

from flamespan.profiler.errors import UsageError

OURS = __file__
"""Frames of this file, and what lies between them and the root, are not the program's."""

MACHINERY = (OURS, "<frozen runpy>", runpy.__file__)
"""Files whose frames, right after ours, belong to how a program is started."""


def prepare_script(path: str, arguments: Sequence[str]) -> Callable[[], None]:
    """Get ``path`` ready to run: a script, compiled script, or folder or zip with a ``__main__``.

    Sets ``sys.argv``, ``sys.path[0]`` and a fresh ``__main__``. Returns what runs it.
    Raises UsageError where there is nothing to run.
    """
    if os.path.isdir(path) or _is_zip(path):
        return _prepare_container(path, arguments)
    code = _reader(path)
    main = _fresh_main(path, arguments, os.path.dirname(os.path.realpath(path)))
    _tell_file(main, _absolute(path))
    loader = importlib.machinery.SourceFileLoader("__main__", path)
    main.__loader__ = loader
    return lambda: _execute(code(), main.__dict__)


def prepare_module(name: str, arguments: Sequence[str]) -> Callable[[], None]:
    """Get ``python -m name`` ready to run; see ``prepare_script``."""
    _fresh_main("-m", arguments, os.getcwd())
    run: Any = runpy._run_module_as_main  # type: ignore[attr-defined]
    return lambda: _call(run, name)


def prepare_code(text: str, arguments: Sequence[str]) -> Callable[[], None]:
    """Get ``python -c text`` ready to run; see ``prepare_script``."""
    return _prepare_text("-c", arguments, "<string>", lambda: text)


def prepare_stdin(arguments: Sequence[str]) -> Callable[[], None]:
    """Get ``python -`` ready to run, which reads the program from standard input."""
    run = _prepare_text("-", arguments, "<stdin>", sys.stdin.buffer.read)
    _tell_file(sys.modules["__main__"], "<stdin>")
    return run


def _tell_file(main: ModuleType, file: str) -> None:
    main.__file__ = file
    if sys.version_info < (3, 15):
        main.__dict__["__cached__"] = None


def _prepare_text(
    argv0: str, arguments: Sequence[str], file: str, text: Callable[[], str | bytes]
) -> Callable[[], None]:
    main = _fresh_main(argv0, arguments, "")
    main.__dict__["__loader__"] = importlib.machinery.BuiltinImporter
    return lambda: _execute(compile(text(), file, "exec", dont_inherit=True), main.__dict__)


def own_traceback(trace: TracebackType | None) -> TracebackType | None:
    """The part of a traceback that the program would have without us."""
    rest, last = trace, None
    while rest is not None:
        if rest.tb_frame.f_code.co_filename == OURS:
            last = rest
        rest = rest.tb_next
    return trace if last is None else last.tb_next


def _execute(code: CodeType, namespace: dict[str, Any]) -> None:
    exec(code, namespace)


def _call(run: Callable[..., object], *arguments: object) -> None:
    run(*arguments)


def _fresh_main(argv0: str, arguments: Sequence[str], path0: str) -> ModuleType:
    sys.argv[:] = [argv0, *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = path0
    main = ModuleType("__main__")
    main.__dict__["__builtins__"] = sys.modules["builtins"]
    if sys.version_info < (3, 14):  # from there on annotations are made when asked for
        main.__dict__.update(__annotations__={})
    sys.modules["__main__"] = main
    return main


def _is_zip(path: str) -> bool:
    return os.path.isfile(path) and zipfile.is_zipfile(path)


def _absolute(path: str) -> str:
    """As python makes a script's path absolute: nothing else of it changes."""
    return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)


def _prepare_container(given: str, arguments: Sequence[str]) -> Callable[[], None]:
    finder = importlib.machinery.PathFinder
    path = _absolute(given)
    if finder.find_spec("__main__", [path]) is None:
        raise UsageError(f"can't find '__main__' module in {path!r}", 1)
    # Python puts the container itself on the path, with or without -P.
    _fresh_main(given, arguments, path)
    if sys.flags.safe_path:
        sys.path.insert(0, path)
    run: Any = runpy._run_module_as_main  # type: ignore[attr-defined]
    return lambda: _call(run, "__main__", False)


def _reader(path: str) -> Callable[[], CodeType]:
    """What gives the code of a script; compiling is left to the run, whose errors it can have."""
    place = _absolute(path)
    try:
        with io.open_code(place) as file:
            data = file.read()
    except OSError as error:
        raise UsageError(
            f"can't open file {place!r}: [Errno {error.errno}] {error.strerror}"
        ) from error
    if data[:4] == importlib.util.MAGIC_NUMBER:
        return lambda: marshal.loads(data[16:])
    return lambda: compile(data, place, "exec", dont_inherit=True)
