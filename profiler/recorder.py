"""Moves what engine and spans saw into sample files: its own thread, once a second."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from flamespan.profiler import environment, folder, systhreads
from flamespan.profiler.engine import Engine, Helper
from flamespan.profiler.model import End, Header, Stats
from flamespan.profiler.samplefile import SUFFIX, SampleWriter
from flamespan.profiler.scrubbing import Scrubber
from flamespan.profiler.spanlog import SpanLog

FLUSH_S = 1.0
STATS_S = 10.0
FIRST_RETRY_S = 1.0
MAX_RETRY_S = 60.0
TRIM_S = 10.0
"""Between two looks at how much the folder holds."""

_DROPS = ("dropped_samples", "dropped_spans", "torn", "failed_flushes", "scrub_errors")


@dataclass(frozen=True)
class Limits:
    """When a sample file is closed and the next one begun; ``max_age_s`` 0: never by age.

    ``max_folder_bytes``: what the folder's sample files may hold together; 0: any amount.
    """

    max_bytes: int = 64 << 20
    max_age_s: float = 0.0
    max_folder_bytes: int = 0


class Recorder:
    """Writes one recording into the files ``stem.fspan``, ``stem.1.fspan``, … of a folder.

    Nothing here raises into the application once ``open`` has returned: what cannot be written
    is counted (``failed_flushes``), said once through ``logging``, and tried again later in a
    new file.
    """

    def __init__(
        self,
        engine: Engine,
        spans: SpanLog,
        stem: str,
        header: Header,
        limits: Limits,
        scrubber: Scrubber | None = None,
    ) -> None:
        self.path: str | None = None
        self.trouble = ""  # what is not as it should be at the moment
        self.after_flush: Callable[[], None] | None = None
        self._engine = engine
        self._spans = spans
        self._stem = stem
        self._header = header
        self._limits = limits
        self._scrubber = scrubber
        self._part = 0
        self._writer: SampleWriter | None = None
        self._opened_s = 0.0
        self._failed = 0
        self._lost_samples = self._lost_spans = 0
        self._retry_s = 0.0
        self._retry_at_s = 0.0
        self._cpu_ns = 0
        self._told = Stats()
        self._told_at_s = 0.0
        # Held while a flush is under way: by the recorder's thread, or by who stops it.
        self._lock = systhreads.allocate_lock()
        self._helper: Helper | None = None
        self._trim_at_s = 0.0
        self._stuck = ""  # why no new file can be begun
        self._next_try_s = 0.0
        self._due_s = 0.0  # of the next flush: kept over a pause, however often forks make one

    def open(self) -> None:
        """Make the first file now, and its folder. Raises OSError where that cannot be."""
        if self.path is None:
            os.makedirs(os.path.dirname(self._stem), mode=0o700, exist_ok=True)
        self._take(self._make())

    def _make(self) -> SampleWriter:
        """The next file."""
        path = f"{self._stem}.{self._part}{SUFFIX}" if self._part else self._stem + SUFFIX
        made = SampleWriter(path, replace(self._header, part=self._part))
        self._part += 1
        return made

    def _take(self, writer: SampleWriter) -> None:
        self._writer, self.path = writer, writer.path
        self._opened_s = time.monotonic()

    def give_up(self, error: OSError) -> None:
        """There is no first file: go on without, and try again later."""
        self._give_up_file(error)

    def start(self) -> None:
        """Begin to flush once a second."""
        if self._helper is not None:
            return
        now_s = time.monotonic()
        self._due_s = self._due_s or now_s + FLUSH_S
        first_s = max(0.0, self._due_s - now_s)
        self._helper = self._engine.call_regularly(self._flush_due, first_s, "flamespan-recorder")

    def pause(self) -> None:
        """End the thread; what was recorded stays for the next flush."""
        helper, self._helper = self._helper, None
        if helper is not None:
            helper.stop(5)

    def stop(self, reason: str) -> None:
        """Write the rest and close the file."""
        self.pause()
        if not self._lock.acquire(timeout=5):
            return  # a write hangs: leave the file as it is rather than hang the application
        try:
            self._flush(last=True)
            self._close(reason)
        finally:
            self._lock.release()

    def flush(self) -> None:
        """Write now what there is, since the process may be about to die."""
        if self._lock.acquire(timeout=5):
            try:
                self._flush()
            finally:
                self._lock.release()

    def abandon(self) -> None:
        """After a fork, in the child: the file is the parent's, only our descriptor is closed."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(OSError):
                writer.abandon()

    def _flush_due(self) -> float:
        """Flush now; the seconds until the next time."""
        began_ns = time.thread_time_ns()
        self._due_s = max(self._due_s + FLUSH_S, time.monotonic())
        with self._lock:
            self._flush()
        if (after_flush := self.after_flush) is not None:
            after_flush()
        self._cpu_ns += time.thread_time_ns() - began_ns
        return max(0.0, self._due_s - time.monotonic())

    def _flush(self, *, last: bool = False) -> None:
        try:
            if self._writer is None and not self._reopen(last):
                return
            self._write(last)
        except Exception as error:  # mostly OSError; but no trouble of ours is the application's
            self._give_up_file(error)

    def _reopen(self, last: bool) -> bool:
        """Get a file where there is none: not made yet, or given up. False: none now."""
        now_s = time.monotonic()
        if now_s < self._retry_at_s and not last:
            self._drop()
            return False
        if last and self._part == 0 and self._engine.stats().passes == 0:
            return False  # a child process that ended before it was ever looked at
        self.open()
        return True

    def _write(self, last: bool) -> None:
        writer = self._writer
        assert writer is not None
        header = self._header_if_changed()  # before the next file is made, which begins with it
        following = self._next_file(writer) if not last and self._is_full(writer) else None
        restart = following is not None
        early = self._spans.drain() if restart else None
        batch = self._engine.drain(restart=restart)
        self._lost_samples += len(batch.samples)  # until they are written
        # Spans after the samples that name them, so that none is named before it is known.
        spans = self._spans.drain(restart=restart)
        if early is not None:
            early.add(spans)
            spans = early
        if self._scrubber is not None:
            spans = self._scrubber.clean(spans)
        self._trim_if_due()
        try:
            writer.flush(
                batch.definitions,
                batch.samples,
                spans,
                self._stats_if_due(last or restart, len(batch.samples)),
                header,
            )
        except OSError:
            self._lost_spans += 0 if restart else len(spans.ended[0])  # or they are told again
            raise
        finally:
            if following is not None:
                self._close("rotate")
                self._take(following)
        self._lost_samples -= len(batch.samples)
        self._retry_s, self.trouble = 0.0, self._stuck

    def _next_file(self, full: SampleWriter) -> SampleWriter | None:
        """The file that follows a full one. None where it cannot be made: the full one goes on."""
        if time.monotonic() < self._next_try_s:
            return None
        try:
            made, self._stuck = self._make(), ""
        except OSError as error:
            if self._engine.wants_restart:
                raise
            if not self._stuck:
                logging.getLogger("flamespan").warning(
                    "cannot begin a new file: %s; %s is written on", _why(error), full.path
                )
            self._stuck = f"no new file can be begun ({_why(error)}), the full one is written on"
            self._next_try_s = time.monotonic() + MAX_RETRY_S
            return None
        return made

    def _trim_if_due(self) -> None:
        limit = self._limits.max_folder_bytes
        if limit and time.monotonic() >= self._trim_at_s:
            self._trim_at_s = time.monotonic() + TRIM_S
            folder.trim(os.path.dirname(self._stem), limit)

    def _is_full(self, writer: SampleWriter) -> bool:
        limits = self._limits
        old = limits.max_age_s and time.monotonic() - self._opened_s >= limits.max_age_s
        return bool(writer.size >= limits.max_bytes or old or self._engine.wants_restart)

    def stats(self, in_flight: int = 0) -> Stats:
        """Counters since the start; ``in_flight`` samples are being written, so not lost yet."""
        stats = self._engine.stats()
        stats.dropped_samples += self._lost_samples - in_flight
        stats.dropped_spans = self._spans.dropped + self._lost_spans
        chooser = self._spans.chooser
        stats.most_open_spans = self._spans.most_open
        stats.unchosen_transactions = self._spans.unchosen
        stats.choice_errors = chooser.errors if chooser else 0
        stats.scrub_errors = self._scrubber.errors if self._scrubber else 0
        stats.failed_flushes = self._failed
        stats.recorder_cpu_ns = self._cpu_ns
        return stats

    def _stats_if_due(self, must: bool, in_flight: int) -> Stats | None:
        stats = self.stats(in_flight)
        now_s = time.monotonic()
        moved = any(getattr(stats, name) != getattr(self._told, name) for name in _DROPS)
        if not (must or moved or now_s - self._told_at_s >= STATS_S):
            return None
        self._told, self._told_at_s = stats, now_s
        return stats

    def _header_if_changed(self) -> Header | None:
        header = environment.refreshed(self._header)
        if header is self._header:
            return None
        self._header = header
        return replace(self._header, part=self._part - 1)

    def _close(self, reason: str) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(OSError):
                writer.close(End(reason, time.monotonic_ns()))

    def _give_up_file(self, error: Exception) -> None:
        """What was to be written is lost; go on in a new file, which needs nothing of this one."""
        where = self.path or self._stem
        self.trouble = f"cannot write {where}: {_why(error)}; samples are dropped"
        if not self._failed:
            logging.getLogger("flamespan").warning("%s until it works again", self.trouble)
        self._failed += 1
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(OSError):
                writer.close()
        self._retry_s = min(MAX_RETRY_S, self._retry_s * 2 or FIRST_RETRY_S)
        self._retry_at_s = time.monotonic() + self._retry_s
        self._drop()

    def _drop(self) -> None:
        """Forget what cannot be written; ids begin anew, for the next file."""
        self._lost_samples += len(self._engine.drain(restart=True).samples)
        self._lost_spans += len(self._spans.drain().ended[0])
        self._spans.drain(restart=True)  # tells those that are open again


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or repr(error)
