"""The recordings that a server shows: listed anew each time, read when they are asked for."""

from __future__ import annotations

import glob
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flamespan.profiler.errors import FlamespanError, UsageError
from flamespan.profiler.model import Header
from flamespan.profiler.samplefile import SUFFIX, SampleReader

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

_KEPT = 4
"""Profiles in memory at a time."""

ALL = "all"
"""The id of everything together."""

Read = Callable[[list[str]], "Profile"]
_State = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """One process's sample files, or a foreign profile."""

    id: str
    title: str
    paths: list[str]

    def state(self) -> _State:
        """Changes whenever a file does: a recording that is still being written grows."""
        return _state(self.paths)

    def to_json(self) -> dict[str, Any]:
        """What the page's list shows; times are unix ns."""
        state = self.state()
        return {
            "id": self.id,
            "title": self.title,
            "files": [os.path.basename(path) for path in self.paths],
            "bytes": sum(size for _, size, _ in state),
            "changed_ns": str(max((changed for *_, changed in state), default=0)),
        }


class Recordings:
    """What lies at ``paths`` (files, folders, globs), by id; ``read`` makes a Profile of files.

    One that was read is kept until its files change, or others were asked for since.
    """

    def __init__(self, paths: Sequence[str], read: Read) -> None:
        self._paths = list(paths)
        self._read = read
        self._headers: dict[str, Header] = {}
        self._kept: OrderedDict[str, tuple[_State, Profile]] = OrderedDict()
        self._lock = threading.Lock()

    def listed(self) -> list[Recording]:
        """What is there now, in order of the paths, then names; parts of one process are one."""
        groups: dict[str, list[str]] = {}
        for path in self._files():
            groups.setdefault(self._whose(path), []).append(path)
        return [*self.given(), *(self._recording(paths) for paths in groups.values())]

    def given(self) -> list[Recording]:
        """The paths themselves, where there are several and one holds several recordings."""
        if len(self._paths) < 2 or all(map(os.path.isfile, self._paths)):
            return []
        named = [os.path.basename(os.path.normpath(path)) or path for path in self._paths]
        return [
            Recording(f"path{i}", name, _inside(path))
            for i, (name, path) in enumerate(zip(named, self._paths, strict=True))
        ]

    def sides(self) -> tuple[str, str] | None:
        """The ids of two paths that were given to be compared."""
        found = [recording.id for recording in self.given() or self.listed()]
        return (found[0], found[1]) if len(self._paths) == len(found) == 2 else None

    def keep(self, which: str, profile: Profile) -> None:
        """Take ``profile`` as what is there now."""
        self._kept[which] = (self._place(which)[1], profile)

    def profile(self, which: str) -> Profile:
        """The profile of a recording, or of ``ALL``. FlamespanError where it cannot be read."""
        paths, state = self._place(which)
        with self._lock:
            kept = self._kept.get(which)
            if kept is None or kept[0] != state:
                kept = (state, self._read(paths))
                self._kept[which] = kept
            self._kept.move_to_end(which)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return kept[1]

    def state(self, which: str) -> str:
        """A text that changes when the recording does."""
        said = repr(self._place(which)[1])
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def _place(self, which: str) -> tuple[list[str], _State]:
        if which == ALL:
            return self._paths, _state(self._files())
        for recording in self.listed():
            if recording.id == which:
                return recording.paths, recording.state()
        raise UsageError(f"no recording {which!r} here (any more)")

    def _files(self) -> list[str]:
        return list(dict.fromkeys(file for path in self._paths for file in _inside(path)))

    def _whose(self, path: str) -> str:
        header = self._header(path)
        return f"session {header.session_id}" if header.session_id else path

    def _header(self, path: str) -> Header:
        if path not in self._headers:
            try:
                header = SampleReader(path).header
            except FlamespanError:
                return Header()  # foreign, damaged, or only just begun
            self._headers[path] = header
        return self._headers[path]

    def _recording(self, paths: list[str]) -> Recording:
        header = self._header(paths[0])
        said = header.service or os.path.basename(header.program)
        title = f"{said} (process {header.pid})" if said else os.path.basename(paths[0])
        name = "\n".join(paths[:1]).encode("utf-8", "surrogatepass")
        return Recording(hashlib.sha256(name).hexdigest()[:10], title, paths)


def _inside(path: str) -> list[str]:
    """The files that a path means, as ``load`` finds them; none where there are none (yet)."""
    if os.path.isdir(path):
        return sorted(os.path.join(path, n) for n in os.listdir(path) if n.endswith(SUFFIX))
    if os.path.exists(path):
        return [path]
    return [file for match in sorted(glob.glob(path, recursive=True)) for file in _inside(match)]


def _state(paths: Sequence[str]) -> _State:
    found = []
    for path in paths:
        try:
            said = os.stat(path)
        except OSError:
            continue
        found.append((path, said.st_size, said.st_mtime_ns))
    return tuple(found)
