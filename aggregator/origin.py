"""Whose code a function is, and which module, from the paths that the recording carries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from flamespan.aggregator.data import APPLICATION, Origin

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_FROZEN = re.compile(r"<frozen ([\w.]+)>")
_PACKAGES = ("site-packages", "dist-packages")


class PathRules:
    """Decides origin and module of files, for one recording's header paths.

    The longest folder that holds the file wins, in whole path parts. ``application`` and
    ``library`` are globs of the user's, matched against the module name and the file's path,
    and come first.
    """

    def __init__(
        self,
        paths: dict[str, Any],
        application: Sequence[str] = (),
        library: Sequence[str] = (),
    ) -> None:
        self._application = application
        self._library = library
        self._roots: dict[str, Origin] = {}
        main = _text(paths.get("main"))
        own = [*_texts(paths.get("sys_path")), _text(paths.get("cwd"))]
        self._add(own, Origin.APPLICATION)
        self._add([main.rpartition("/")[0] if main else ""], Origin.APPLICATION)
        stdlib = [_text(paths.get(key)) for key in ("stdlib", "platstdlib")]
        self._add(stdlib, Origin.STDLIB)
        self._add([f"{folder}/lib-dynload" for folder in stdlib if folder], Origin.STDLIB)
        self._add([path for path in own if _is_stdlib_zip(path)], Origin.STDLIB)
        installed = [
            _text(paths.get(key)) for key in ("purelib", "platlib", "scripts", "flamespan")
        ]
        self._add(installed + _texts(paths.get("site_packages")), Origin.LIBRARY)
        self._known: dict[str, tuple[Origin, str]] = {}

    def _add(self, folders: Iterable[str], origin: Origin) -> None:
        for folder in folders:
            if folder:
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
        if not file or file.startswith("<"):
            return Origin.RUNTIME, ""
        parts = _slashes(file).split("/")
        for cut in range(len(parts) - 1, -1, -1):
            origin = self._roots.get(_normal("/".join(parts[:cut])))
            if parts[cut - 1] in _PACKAGES and cut:
                origin = Origin.LIBRARY
            if origin is not None:
                return origin, _module(parts[cut:])
        return Origin.APPLICATION, _module(parts[-1:])


def _matches(glob: str, module: str, path: str) -> bool:
    return fnmatchcase(module, glob) or fnmatchcase(path, glob) or module.startswith(f"{glob}.")


def _module(parts: Sequence[str]) -> str:
    stem = list(parts)
    stem[-1] = re.sub(r"\.(pyc?|pyw|so|pyd)$", "", stem[-1])
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


def _is_stdlib_zip(path: str) -> bool:
    return re.search(r"[\\/]python3\d+\.zip$", path) is not None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
