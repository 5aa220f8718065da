"""Recordings that are being written now: a folder's processes, and a Profile of the last seconds.

A folder is looked at anew each time: parts of a rotated recording, processes that start and those
that end come and go by themselves.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flamespan.aggregator.growing import GrowingFile
from flamespan.aggregator.join import join
from flamespan.aggregator.profile import Profile
from flamespan.profiler.closed import is_closed
from flamespan.profiler.errors import SampleFileError
from flamespan.profiler.model import Header, Stats
from flamespan.profiler.samplefile import SUFFIX

LAG_NS = 2_500_000_000
"""What happened so long ago has been written, unless the process was held up."""

Wanted = Callable[[Header], bool]


@dataclass(frozen=True, slots=True)
class LiveProcess:
    """How the recording of one process does; rates are of the window, ``stats`` since its start.

    ``state`` is "recording", "ended: REASON" or "killed". ``cost_cores`` is what sampler and
    recorder used since the start (as last told, at most ten seconds ago), as a share of a core.
    ``silent_ns``: how long ago it wrote for the last time.
    """

    header: Header
    path: str
    state: str
    asked_hz: float
    achieved_hz: float
    cost_cores: float
    stats: Stats
    silent_ns: int


class Live:
    """Follows the recordings at ``folder``; ``window_ns`` is how far back a snapshot reaches.

    It may be changed; what was let go does not come back.
    ``wanted`` chooses among them by their headers. ``refused`` are files that cannot be read,
    with the reason.
    """

    def __init__(self, folder: str, window_ns: int, wanted: Wanted | None = None) -> None:
        self.folder = folder
        self.window_ns = window_ns
        self.refused: dict[str, str] = {}
        self._wanted = wanted or (lambda _: True)
        self._files: dict[str, GrowingFile] = {}
        self._passed_over: dict[str, int] = {}
        self._end_ns = 0

    def refresh(self) -> None:
        """Read what is new in the folder. Raises OSError where the folder cannot be read."""
        now_ns = time.time_ns()
        seen = set()
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX):
                    seen.add(entry.path)
                    self._look_at(entry, now_ns)
        for path in [path for path in self._files if path not in seen]:
            del self._files[path]
        alive = False
        for path, file in list(self._files.items()):
            self._read(path, file)
            alive = alive or self._state(file) == "recording"
        newest_ns = max((f.last_ns + f.epoch_ns for f in self._files.values()), default=0)
        self._end_ns = max(newest_ns, now_ns - LAG_NS) if alive else newest_ns
        self._let_go()

    def profile(self) -> Profile | None:
        """What was sampled in the window; None where there is no recording."""
        files = [file for file in self._files.values() if file.last_ns]
        if not files:
            return None
        profile = Profile.of(*join([file.content() for file in files]))
        return profile.between(self._end_ns - self.window_ns, self._end_ns)

    def processes(self) -> list[LiveProcess]:
        """The processes, by start; a process's newest file tells."""
        newest: dict[str, list[GrowingFile]] = {}
        for file in self._files.values():
            newest.setdefault(file.header.session_id, []).append(file)
        parts = [sorted(files, key=lambda f: f.header.part) for files in newest.values()]
        told = [self._process(files) for files in parts]
        return sorted(told, key=lambda p: (p.header.start_wall_ns, p.header.pid))

    def _look_at(self, entry: os.DirEntry[str], now_ns: int) -> None:
        """Begin to follow a file, if it is a recording of late that is wanted."""
        path = entry.path
        if path in self._files or path in self.refused:
            return
        try:
            facts = entry.stat()
            if self._passed_over.get(path) == facts.st_mtime_ns:
                return
            old = facts.st_mtime_ns < now_ns - self.window_ns - LAG_NS
            if old and is_closed(path, facts.st_mtime):
                self._passed_over[path] = facts.st_mtime_ns
                return
            file = GrowingFile(path, self.window_ns + LAG_NS)
        except SampleFileError as error:
            self.refused[path] = error.reason
        except OSError:
            return  # gone meanwhile
        else:
            if self._wanted(file.header):
                self._files[path] = file
            else:
                self._passed_over[path] = facts.st_mtime_ns

    def _read(self, path: str, file: GrowingFile) -> None:
        file.keep_ns = self.window_ns + LAG_NS
        try:
            file.refresh()
        except SampleFileError as error:
            del self._files[path]
            if os.path.exists(path):
                self.refused[path] = error.reason

    def _state(self, file: GrowingFile) -> str:
        if file.end is not None:
            return f"ended: {file.end.reason}"
        try:
            modified = os.path.getmtime(file.path)
        except OSError:
            return "killed"
        return "killed" if is_closed(file.path, modified) else "recording"

    def _let_go(self) -> None:
        """Forget closed files that ended before the window, but not all of what there was."""
        until_ns = self._end_ns - self.window_ns
        for path, file in list(self._files.items()):
            old = file.last_ns + file.epoch_ns < until_ns
            if old and len(self._files) > 1 and self._state(file) != "recording":
                del self._files[path]
                self._passed_over[path] = _modified_ns(path)

    def _process(self, files: Sequence[GrowingFile]) -> LiveProcess:
        last = files[-1]
        header, stats = last.header, last.stats
        if not last.stats_ns and len(files) > 1:
            stats = files[-2].stats
        passes = sum(piece.passes for file in files for piece in file.pieces)
        watched_ns = sum(p.last_ns - p.first_ns - p.asleep_ns for f in files for p in f.pieces)
        told_ns = max(file.stats_ns for file in files) - header.start_monotonic_ns
        ours_ns = stats.sampler_cpu_ns + stats.recorder_cpu_ns
        silent_ns = time.time_ns() - (last.last_ns or header.start_monotonic_ns) - last.epoch_ns
        return LiveProcess(
            header=header,
            path=last.path,
            state=self._state(last),
            asked_hz=1e9 / header.interval_ns if header.interval_ns else 0.0,
            achieved_hz=passes * 1e9 / watched_ns if watched_ns > 0 else 0.0,
            cost_cores=ours_ns / told_ns if told_ns > 0 else 0.0,
            stats=stats,
            silent_ns=max(0, silent_ns),
        )


def _modified_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
