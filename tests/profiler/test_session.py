"""Starting and stopping in one process: options, files, repetition, trouble with the disk."""

from __future__ import annotations

import gc
import logging
import os
import re
import signal
import stat
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest

from flamespan import profiler
from flamespan.profiler import lifecycle, recorder
from flamespan.profiler.errors import SampleFileError, UsageError
from helpers import recordings
from helpers.recordings import run_python

ROOTS = {"<module>", "_run_module_as_main"}
only_posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


def spin(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def test_start_and_stop(tmp_path):
    assert not profiler.is_recording()
    assert profiler.stop() is None
    running = profiler.start(tmp_path / "new" / "folder", 200, service="my shop/ß", release="1.2")
    assert profiler.is_recording()
    spin(0.1)
    path = profiler.stop()
    assert not profiler.is_recording()
    assert path == running.path
    assert path.parent == tmp_path / "new" / "folder"
    assert re.fullmatch(r"my_shop_-[\w.]+-\d+-\d{8}T\d{6}\.\d{6}Z\.fspan", path.name)
    recording = recordings.read(path)
    assert recording.end.reason == "stop"
    assert recording.header.service == "my shop/ß"
    assert recording.header.release == "1.2"
    assert recording.header.interval_ns == 5_000_000
    assert recording.header.pid == os.getpid()
    assert not recording.loss
    assert any("spin" in row.stack for row in recordings.rows(recording))
    assert recording.stats.passes == sum(len(s.pass_ticks) for s in recording.samples)


@only_posix
def test_files_are_the_owners_only(tmp_path):
    with profiler.Profiler(tmp_path / "a" / "b") as running:
        pass
    assert stat.S_IMODE(running.path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_header_tells_where_code_comes_from_and_no_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cr3t-in-environment")
    monkeypatch.setattr(sys, "argv", ["/app/serve.py", "--password=s3cr3t-in-arguments"])
    with profiler.Profiler(tmp_path) as running:
        pass
    header = recordings.read(running.path).header
    assert header.program.endswith(("serve.py", "pytest", "pytest.__main__"))
    assert header.paths["sys_path"]
    assert Path(os.__file__).is_relative_to(header.paths["stdlib"])
    assert header.paths["site_packages"]
    assert header.python["version"].startswith("3.")
    assert header.engine["name"] in ("native", "python")
    assert header.engine["span_rule"] in ("context", "thread+task")
    assert header.device["cores"] >= 1
    assert "s3cr3t" not in str(header.to_json())
    assert b"s3cr3t" not in running.path.read_bytes()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rate_hz": 0}, "1 to 10000"),
        ({"rate_hz": 100_000}, "1 to 10000"),
        ({"rate_hz": "fast"}, "1 to 10000"),
        ({"rate_hz": float("nan")}, "1 to 10000"),
        ({"engine": "warp"}, "no engine called 'warp'"),
        ({"budget": -1}, "a share of one core"),
        ({"budget": "low"}, "a share of one core"),
        ({"max_depth": (0, 5)}, "two numbers"),
        ({"max_depth": 100}, "two numbers"),
        ({"service": 5}, "give text"),
    ],
)
def test_impossible_options_are_refused_and_leave_nothing(tmp_path, options, says):
    with pytest.raises(UsageError, match=says):
        profiler.start(tmp_path, **options)
    assert not profiler.is_recording()
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="name a folder that can be written"):
        profiler.start(tmp_path / "file")
    with pytest.raises(UsageError, match="name a folder that can be written"):
        profiler.start("/proc/no/such")
    assert not profiler.is_recording()


def test_second_start_says_what_to_do(tmp_path):
    with profiler.Profiler(tmp_path) as running:
        with pytest.raises(UsageError, match=r"already recording to .*stop\(\)"):
            profiler.start(tmp_path)
        assert profiler.is_recording()
    assert len(list(tmp_path.iterdir())) == 1
    assert recordings.read(running.path).end


def test_profiler_as_decorator(tmp_path):
    watch = profiler.Profiler(tmp_path)

    @watch
    def work(x):
        spin(0.05)
        return x + 1

    assert work(1) == 2
    assert work(2) == 3
    assert len(list(tmp_path.iterdir())) == 2
    assert not profiler.is_recording()


def test_stopping_an_older_profiler_leaves_the_newer_alone(tmp_path):
    older = profiler.start(tmp_path)
    profiler.stop()
    with profiler.Profiler(tmp_path):
        older.stop()
        assert profiler.is_recording()


def test_stop_from_another_thread_and_races(tmp_path):
    for _ in range(10):
        profiler.start(tmp_path)
        paths = []

        def stop(paths=paths):
            paths.append(profiler.stop())

        threads = [threading.Thread(target=stop) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(path is not None for path in paths) == 1


def test_often_leaks_neither_threads_nor_descriptors(tmp_path):
    def descriptors():
        return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0

    with profiler.Profiler(tmp_path):
        pass
    threads, files = threading.active_count(), descriptors()
    for _ in range(100):
        with profiler.Profiler(tmp_path):
            pass
    assert (threading.active_count(), descriptors()) == (threads, files)
    assert len(list(tmp_path.iterdir())) == 101


def test_what_a_recording_held_is_free_at_its_end(tmp_path):
    """Megabytes of tables: too much to wait until the collector comes by."""
    gc.disable()
    try:
        profiler.start(tmp_path)
        session = weakref.ref(lifecycle.running())
        profiler.stop()
        assert session() is None
    finally:
        gc.enable()


def test_new_entries_of_sys_path_reach_the_file(tmp_path, monkeypatch):
    with profiler.Profiler(tmp_path) as running:
        monkeypatch.setattr(sys, "path", [*sys.path, "/added/later", 5])
    assert "/added/later" in recordings.read(running.path).header.paths["sys_path"]


def parts(folder):
    def number(path):
        found = re.search(r"Z\.(\d+)\.fspan$", path.name)
        return int(found.group(1)) if found else 0

    return [recordings.read(path) for path in sorted(folder.iterdir(), key=number)]


def test_rotation_gives_files_that_stand_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "FLUSH_S", 0.05)
    with profiler.Profiler(tmp_path, 500, max_file_bytes=1500), profiler.transaction("long"):
        until = time.perf_counter() + 0.6
        while time.perf_counter() < until:
            with profiler.span("short"):
                spin(0.02)
    found = parts(tmp_path)
    assert len(found) > 2
    assert [r.header.part for r in found] == list(range(len(found)))
    assert len({r.header.session_id for r in found}) == 1
    assert {r.end.reason for r in found[:-1]} == {"rotate"}
    assert found[-1].end.reason == "stop"
    for recording in found:
        assert not recording.loss
        known = recordings.spans(recording)
        # Libraries that other tests loaded may have left threads of their own.
        rows = [row for row in recordings.rows(recording) if row.thread == "MainThread"]
        assert {row.stack[0] for row in rows} <= ROOTS
        assert not any("<lost>" in row.stack for row in rows)
        assert {row.span for row in rows} - {0} <= set(known)
        if any(row.span for row in rows):
            assert any(s.name == "long" for s in known.values())
    runs = [samples for recording in found for samples in recording.samples]
    ends = [run.start_ticks + sum(run.pass_ticks) for run in runs]
    assert [run.start_ticks for run in runs[1:]] == ends[:-1]


def test_rotation_by_age(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "FLUSH_S", 0.02)
    with profiler.Profiler(tmp_path, max_file_age_s=0.1):
        spin(0.35)
    assert 3 <= len(parts(tmp_path)) <= 5


def test_full_disk_drops_and_counts_and_goes_on_in_a_new_file(tmp_path, monkeypatch, caplog):
    """Where the disk is full for a while, the application notices nothing but a log line."""
    monkeypatch.setattr(recorder, "FLUSH_S", 0.05)
    real = os.write
    full = False

    def write(descriptor, data):
        if full and os.fstat(descriptor).st_mode & stat.S_IFREG:
            real(descriptor, bytes(data)[: len(data) // 2])
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(recorder, "FIRST_RETRY_S", 0.1)
    caplog.set_level(logging.WARNING, "flamespan")
    with profiler.Profiler(tmp_path, 500), profiler.transaction("t"):
        spin(0.2)
        full = True
        spin(0.3)
        full = False
        spin(0.4)
    assert caplog.text.count("No space left") == 1
    first, second = parts(tmp_path)
    assert first.end is None
    assert first.loss.tail_bytes
    assert any("spin" in row.stack for row in recordings.rows(first))
    assert second.end.reason == "stop"
    assert second.stats.failed_flushes >= 1
    assert second.stats.dropped_samples > 10
    rows = list(recordings.rows(second))
    assert rows
    assert all("<lost>" not in row.stack for row in rows)
    assert {s.name for s in recordings.spans(second).values()} == {"t"}


@only_posix
def test_file_size_limit_of_the_system(tmp_path):
    """A real refusal: RLIMIT_FSIZE makes write() fail (Python ignores SIGXFSZ)."""
    done = run_python(
        """
        import logging, resource, sys, time
        from flamespan import profiler
        logging.basicConfig()
        resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))
        profiler.start(sys.argv[1], 1000)
        until = time.time() + 3.5
        depth = 0
        def down(n):
            return down(n - 1) if n else time.sleep(0.001)
        while time.time() < until:
            depth = (depth + 1) % 80
            down(depth)
        print("stopped", profiler.stop())
        """,
        str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert "stopped" in done.stdout
    assert done.stderr.count("cannot write") == 1
    assert "File too large" in done.stderr
    readable = 0
    for path in tmp_path.iterdir():
        try:
            readable += len(list(recordings.rows(recordings.read(path))))
        except SampleFileError:
            assert path.stat().st_size == 0
    assert readable


@only_posix
def test_exit_without_stop_closes_the_file(tmp_path):
    done = run_python(
        """
        import sys, threading, time
        from flamespan import profiler
        profiler.start(sys.argv[1])
        def late():
            with profiler.transaction("late"):
                time.sleep(0.3)
        threading.Thread(target=late).start()
        sys.exit(3)
        """,
        str(tmp_path),
    )
    assert (done.returncode, done.stderr) == (3, "")
    recording = recordings.read_one(tmp_path)
    assert recording.end.reason == "exit"
    assert [s.status for s in recording.spans.ended] == ["ok"]


@only_posix
@pytest.mark.parametrize("end", ["os._exit(4)", "os.kill(os.getpid(), 9)", "os.abort()"])
def test_sudden_ends_leave_a_readable_file_without_an_end(tmp_path, end):
    done = run_python(
        f"""
        import os, sys, time
        import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        from flamespan import profiler
        profiler.start(sys.argv[1])
        time.sleep(1.2)
        {end}
        """,
        str(tmp_path),
    )
    assert done.returncode in (4, -signal.SIGKILL, -signal.SIGABRT)
    recording = recordings.read_one(tmp_path)
    assert recording.end is None
    assert not recording.loss
    assert sum(row.wall_ns for row in recordings.rows(recording)) > 5e8


def test_daemon_threads_and_exceptions_at_exit_are_survived(tmp_path):
    done = run_python(
        """
        import sys, threading, time, atexit
        from flamespan import profiler
        atexit.register(lambda: time.sleep(0.05))
        profiler.start(sys.argv[1], 1000)
        def forever():
            while True:
                sum(range(1000))
        for _ in range(4):
            threading.Thread(target=forever, daemon=True).start()
        time.sleep(0.2)
        1 / 0
        """,
        str(tmp_path),
    )
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    assert done.stderr.count("Traceback") == 1
    assert recordings.read_one(tmp_path).end.reason == "exit"
