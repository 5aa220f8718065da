"""Whose code a function is, and which module, from the paths that the recording carries."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from flamespan.aggregator.data import APPLICATION, Origin

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_FROZEN = re.compile(r"<frozen ([\w.]+)>")
_PACKAGES = ("site-packages", "dist-packages")
_STDLIB = re.compile(
    r"(?:^|/)(?:lib(?:32|64)?/(?:python|pypy)3\.\d{1,2}t?|python3\d*(?:-32|-arm64)?/lib)(?:/lib-dynload)?$",
    re.IGNORECASE,
)
"""Folders of standard libraries as every installer lays them out."""
_TYPED = re.compile(r"<(?:ipython-input-|stdin|console|python-input-|doctest ).*>", re.DOTALL)
_CELL = re.compile(r"/(?:ipykernel|xpython)_\d+/\d+\.py$")
_SUFFIX = re.compile(r"\.(?:pyc?|pyw|(?:(?:cpython-|pypy|abi3|cp3)[\w-]*\.)?(?:so|pyd))$")
"""Of a module's file; an extension's (py-spy names them) tells which Python it was built for."""
_TYPED_MODULE = "__main__"
"""What Python itself calls code that was typed in: the module of notebook cells and consoles."""


class PathRules:
    """Decides origin and module of files, for one recording's header paths.

    The longest folder that holds the file wins, in whole path parts. Folders that look like a
    standard library's or hold installed packages are known as such without being told. What no
    folder holds is application code; so is what was typed into a notebook or console.
    ``application`` and ``library`` are globs of the user's, matched against the module name (and
    its parents), the file's path and its folders; they come first, ``application`` before
    ``library``. A recording that tells no paths (a foreign one) may have short file names:
    those of modules of the standard library are taken to be these.
    """

    def __init__(
        self,
        paths: dict[str, Any],
        application: Sequence[str] = (),
        library: Sequence[str] = (),
    ) -> None:
        self._application = [_slashes(glob) for glob in application]
        self._library = [_slashes(glob) for glob in library]
        self._roots: dict[str, Origin] = {}
        self._tells_paths = bool(paths)
        searched = _texts(paths.get("sys_path"))
        main = _slashes(_text(paths.get("main"))).rpartition("/")[0]
        self._add(searched, Origin.APPLICATION)
        like_stdlib = [path for path in searched if _STDLIB.search(_normal(path))]
        self._add(like_stdlib, Origin.STDLIB)
        self._add([main, _text(paths.get("cwd"))], Origin.APPLICATION)
        stdlib = [_text(paths.get(key)) for key in ("stdlib", "platstdlib")]
        self._add(stdlib, Origin.STDLIB)
        self._add([f"{folder}/lib-dynload" for folder in stdlib if folder], Origin.STDLIB)
        self._add([path for path in searched if _is_stdlib_zip(path)], Origin.STDLIB)
        installed = [
            _text(paths.get(key)) for key in ("purelib", "platlib", "scripts", "flamespan")
        ]
        self._add(installed + _texts(paths.get("site_packages")), Origin.LIBRARY)
        self._known: dict[str, tuple[Origin, str]] = {}

    def _add(self, folders: Iterable[str], origin: Origin) -> None:
        for folder in folders:
            # A process that was started in / does not own the whole machine.
            if folder and not _is_top(_normal(folder)):
                self._roots[_normal(folder)] = origin

    def origin(self, name: str, file: str) -> Origin:
        """Origin of the function ``name`` in ``file``; never unset."""
        if name == APPLICATION and not file:
            return Origin.APPLICATION
        origin, module = self._place(file)
        path = _slashes(file)
        if any(_matches(glob, module, path) for glob in self._application):
            return Origin.APPLICATION
        if any(_matches(glob, module, path) for glob in self._library):
            return Origin.LIBRARY
        return origin

    def module(self, file: str) -> str:
        """Dotted module name of ``file``, "" where there is none."""
        return self._place(file)[1]

    def _place(self, file: str) -> tuple[Origin, str]:
        known = self._known.get(file)
        if known is None:
            known = self._known[file] = self._find(file)
        return known

    def _find(self, file: str) -> tuple[Origin, str]:
        frozen = _FROZEN.fullmatch(file)
        if frozen:
            return Origin.RUNTIME, frozen[1]
        path = _slashes(file)
        if _TYPED.fullmatch(file) or _CELL.search(path):
            return Origin.APPLICATION, _TYPED_MODULE
        if not file or file.startswith("<"):
            return Origin.RUNTIME, ""
        parts = path.split("/")
        for cut in range(len(parts) - 1, 0, -1):
            origin = self._folder("/".join(parts[:cut]), parts[cut - 1])
            if origin is not None:
                return origin, _module(parts[cut:])
        if not self._tells_paths and not path.startswith("/") and not _is_windows(path):
            return self._short(parts)
        return Origin.APPLICATION, _module(parts[-1:])

    def _folder(self, folder: str, name: str) -> Origin | None:
        """What lies in a folder; None where nothing tells."""
        if name in _PACKAGES:
            return Origin.LIBRARY
        normal = _normal(folder)
        known = self._roots.get(normal)
        return Origin.STDLIB if known is None and _STDLIB.search(normal) else known

    def _short(self, parts: list[str]) -> tuple[Origin, str]:
        """A file name without its folders, as py-spy and CPython's sampler write them."""
        module = _module(parts)
        known = module.partition(".")[0] in sys.stdlib_module_names
        return (Origin.STDLIB if known else Origin.APPLICATION), module


def _matches(glob: str, module: str, path: str) -> bool:
    if _is_windows(path):
        glob, path = glob.lower(), path.lower()
        module = module if fnmatchcase(module, glob) else module.lower()
    inside = f"{glob.rstrip('/')}/"
    return (
        fnmatchcase(module, glob)
        or module.startswith(f"{glob}.")
        or fnmatchcase(path, glob)
        or path.startswith(inside)
        or fnmatchcase(path, f"{inside}*")
    )


def _module(parts: Sequence[str]) -> str:
    stem = list(parts)
    stem[-1] = _SUFFIX.sub("", stem[-1])
    if stem[-1] == "__init__" and len(stem) > 1:
        stem.pop()
    return ".".join(stem)


def _is_windows(path: str) -> bool:
    return _DRIVE.match(path) is not None or path.startswith(("\\\\", "//"))


def _slashes(path: str) -> str:
    return path.replace("\\", "/") if _is_windows(path) else path


def _normal(path: str) -> str:
    """One spelling for a folder of any system: forward slashes, Windows paths in lower case."""
    path = _slashes(path).rstrip("/") or "/"
    return path.lower() if _is_windows(path) else path


def _is_top(folder: str) -> bool:
    """Whether a folder (in the one spelling) is a file system's or drive's top."""
    return folder == "/" or re.fullmatch(r"[a-z]:/?", folder) is not None


def _is_stdlib_zip(path: str) -> bool:
    return re.search(r"[\\/]python3\d+\.zip$", path) is not None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
