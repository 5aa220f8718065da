"""Source text for the page: the files that were recorded, where they are here and unchanged.

A file counts as unchanged when it was last modified before its recording began and its functions
still begin on the lines that were recorded. Only files of this machine's own recordings are read:
a file of the same name elsewhere may be another one. What is not embedded is told why.
"""

from __future__ import annotations

import os
import re
import socket
import stat
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from flamespan.aggregator.data import Origin
from flamespan.profiler.errors import UsageError

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile
    from flamespan.profiler.model import Header

BUDGET_BYTES = 4_000_000
"""Source text in one page; files with most time come first."""

_LARGEST_BYTES = 1_000_000
_DECORATORS = 30
"""Lines below its recorded first line (a decorator's) in which a ``def`` has to come."""

EDITOR = "vscode://file/{file}:{line}"


@dataclass(frozen=True, slots=True)
class Links:
    """How the page opens code: templates of addresses, and whether it holds source text.

    ``repository`` is an http(s) address with ``{path}`` (of the file, from the folder the program
    ran in), ``{line}`` and any of ``{release}``, ``{version}`` (of the release, what is behind an
    @), ``{commit}`` (the part of the release that is a commit's number). ``editor`` is an address
    with ``{file}`` and ``{line}``; empty: no link.
    """

    repository: str = ""
    editor: str = EDITOR
    sources: bool = True

    def __post_init__(self) -> None:
        if self.repository and not re.match(r"https?://", self.repository):
            raise UsageError(
                f"--repository {self.repository!r}: it must be an http:// or https:// address, "
                "like https://github.com/me/app/blob/{release}/{path}#L{line}"
            )
        scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*):", self.editor)
        if self.editor and (
            not scheme or scheme[1].lower() in ("javascript", "data", "vbscript", "blob")
        ):
            raise UsageError(f"--editor {self.editor!r}: it must be an address, like {EDITOR}")
        for option, text in (("--repository", self.repository), ("--editor", self.editor)):
            unknown = set(re.findall(r"\{(\w*)\}", text)) - set(_PLACEHOLDERS)
            if unknown:
                raise UsageError(
                    f"{option}: no {{{min(unknown)}}}; there are "
                    + ", ".join(f"{{{name}}}" for name in _PLACEHOLDERS)
                )


_PLACEHOLDERS = ("path", "file", "line", "release", "version", "commit")


def source_part(profile: Profile, links: Links) -> dict[str, dict[str, str]]:
    """What the page knows of each file with samples: ``path``, and ``text`` or ``why`` not."""
    told: dict[str, dict[str, str]] = {}
    left = BUDGET_BYTES
    for file, process, functions in _files(profile):
        header, began_ns = process.header, process.first_ns
        entry = told[file] = {"path": _relative(file, header)}
        if not links.sources:
            entry["why"] = "The page was written without source text."
            continue
        try:
            text = _read(file, header.host, began_ns, functions)
        except NotShownError as why:
            entry["why"] = str(why)
            continue
        if len(text) > left:
            entry["why"] = "The page is full: files with more time came first."
            continue
        entry["text"] = text
        left -= len(text)
    return told


def _files(profile: Profile) -> Iterator[tuple[str, Any, list[tuple[str, int]]]]:
    """Files of functions on recorded stacks, the application's and those with most time first."""
    tables = profile.tables
    tree = tables.tree
    weights = np.zeros(len(tree), np.int64)
    np.add.at(weights, profile.rows.stack, profile.rows.wall_ns)
    process_of = _process_of_stacks(profile, len(tree))
    seen = tree.inclusive(weights) > 0
    seen[0] = False
    nodes = np.flatnonzero(seen)
    function = tables.frame_function[tree.key[nodes]]
    own = np.bincount(function, weights[nodes], len(tables.function_name)).tolist()
    found, first = np.unique(function, return_index=True)
    files: dict[str, list[int]] = {}
    whose: dict[str, int] = {}
    for at in np.argsort(first).tolist():  # the first node of a file says whose it is
        fn, file = int(found[at]), tables.function_file[found[at]]
        if file and not file.startswith("<"):
            files.setdefault(file, []).append(fn)
            whose.setdefault(file, int(process_of[nodes[first[at]]]))
    foreign = (tables.function_origin != Origin.APPLICATION).tolist()
    rank = {
        file: (min(foreign[fn] for fn in functions), -sum(own[fn] for fn in functions), file)
        for file, functions in files.items()
    }
    for file in sorted(files, key=rank.__getitem__):
        known = [(tables.function_name[fn], int(tables.function_line[fn])) for fn in files[file]]
        yield file, tables.processes[whose[file]], known


def _process_of_stacks(profile: Profile, size: int) -> np.ndarray:
    """A process that has each node on a stack: files are looked for where that one ran."""
    tables, rows = profile.tables, profile.rows
    process = np.array([thread.process for thread in tables.threads], np.int64)
    found = np.zeros(size, np.int64)
    if len(rows):
        found[rows.stack] = process[rows.thread]
    parent = tables.tree.parent
    for level in reversed(tables.tree.levels[1:]):
        found[parent[level]] = np.maximum(found[parent[level]], found[level])
    return found


class NotShownError(Exception):
    """A file's text stays out; the message is for whoever reads the page."""


def _read(file: str, host: str, began_ns: int, functions: list[tuple[str, int]]) -> str:
    """The file's text. Raises NotShownError where it is not here, or is not what was recorded."""
    if host != socket.gethostname():
        raise NotShownError(f"It was recorded on another machine ({host or 'not said which'}).")
    try:
        status = os.stat(file)
        _check(status, began_ns)
        with tokenize.open(file) as opened:
            text = opened.read()
    except FileNotFoundError:
        raise NotShownError("The file is not on this machine.") from None
    except (OSError, SyntaxError, UnicodeDecodeError, ValueError) as error:
        raise NotShownError(f"The file could not be read: {error}.") from None
    lines = text.split("\n")
    if not all(_begins_there(lines, name, line) for name, line in functions):
        raise NotShownError(
            "Its functions are not where they were recorded: it is another version."
        )
    return text


def _check(status: os.stat_result, began_ns: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotShownError("It is no file.")
    if status.st_mtime_ns > began_ns:
        changed = datetime.fromtimestamp(status.st_mtime, UTC).strftime("%Y-%m-%d %H:%M:%S")
        raise NotShownError(f"The file was changed after the recording began ({changed} UTC).")
    if status.st_size > _LARGEST_BYTES:
        raise NotShownError(f"The file is too large to be shown ({status.st_size:,} bytes).")


def _begins_there(lines: list[str], name: str, first: int) -> bool:
    """Whether the function can begin on its recorded first line: its own, or a decorator's."""
    if first > len(lines):
        return False
    bare = name.rpartition(".")[2]
    if first < 1 or not bare.isidentifier():  # <module>, <lambda>, <listcomp>
        return True
    last = first + _DECORATORS if lines[first - 1].lstrip().startswith("@") else first
    begins = re.compile(rf"\b(?:def|class)\s+{re.escape(bare)}\b")
    return any(begins.search(line) for line in lines[first - 1 : last])


def _relative(file: str, header: Header) -> str:
    """The file's path below the folder the program ran in, or where its imports were found."""
    path = file.replace("\\", "/")
    paths = header.paths
    main = str(paths.get("main") or "").replace("\\", "/").rpartition("/")[0]
    searched = [str(entry) for entry in paths.get("sys_path") or []]
    for folder in [str(paths.get("cwd") or ""), *sorted([main, *searched], key=len, reverse=True)]:
        start = folder.replace("\\", "/").rstrip("/") + "/"
        if len(start) > 1 and path.startswith(start):
            return path[len(start) :]
    return path if not path.startswith("/") and not re.match(r"[A-Za-z]:", path) else ""
