"""Forked children record themselves, into files of their own; the parent notices nothing."""

from __future__ import annotations

import os
import sys
import textwrap

import pytest

from helpers import recordings
from helpers.recordings import run_python

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

HEAD = """
import os, sys, threading, time
from flamespan import profiler

def spin(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass

def in_child():
    spin(0.3)

def in_parent():
    spin(0.3)

"""


def program(code, folder, *arguments, **options):
    return run_python(HEAD + textwrap.dedent(code), str(folder), *arguments, **options)


def by_role(folder):
    """Recordings as (parent, children)."""
    found = [recordings.read(path) for path in folder.glob("*.fspan")]
    pids = {r.header.pid for r in found}
    (parent,) = [r for r in found if r.header.parent_pid not in pids]
    return parent, [r for r in found if r is not parent]


def functions(recording):
    return {name for row in recordings.rows(recording) for name in row.stack}


def test_child_gets_its_own_file_and_parent_goes_on(tmp_path):
    done = program(
        """
        profiler.start(sys.argv[1], 200)
        with profiler.transaction("whole"):
            spin(0.1)
            pid = os.fork()
            if pid == 0:
                with profiler.span("child part"):
                    in_child()
                sys.exit(0)
            in_parent()
            assert os.waitpid(pid, 0)[1] == 0
        print(profiler.stop())
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    parent, (child,) = by_role(tmp_path)
    assert parent.header.session_id != child.header.session_id
    assert (parent.end.reason, child.end.reason) == ("stop", "exit")
    assert "in_parent" in functions(parent)
    assert "in_child" not in functions(parent)
    assert "in_child" in functions(child)
    assert "in_parent" not in functions(child)
    spans = recordings.spans(child)
    whole, part = spans.values()
    assert (whole.name, part.op, part.parent) == ("whole", "child part", whole.id)
    assert {row.span for row in recordings.rows(child) if "in_child" in row.stack} == {part.id}
    assert {s.name or s.op for s in recordings.spans(parent).values()} == {"whole"}
    assert len(parent.spans.ended) == 1
    assert len(child.spans.ended) == 2  # sys.exit leaves both


def test_many_forks_while_threads_hold_every_lock(tmp_path):
    """Children of a process whose threads record spans, log and fork at full speed."""
    done = program(
        """
        import logging, warnings
        # It has threads of its own, of which some Pythons warn at each fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        profiler.start(sys.argv[1], 1000)
        over = False
        def work():
            while not over:
                with profiler.transaction("t"), profiler.span("s") as s:
                    s.set_tag("a", 1)
                    logging.getLogger("x").debug("y")
        threads = [threading.Thread(target=work) for _ in range(3)]
        for t in threads: t.start()
        for _ in range(12):
            pid = os.fork()
            if pid == 0:
                with profiler.transaction("in child"):
                    time.sleep(0.01)
                profiler.stop()
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        over = True
        for t in threads: t.join()
        profiler.stop()
        print(threading.active_count())
        """,
        tmp_path,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    if sys.version_info < (3, 12):
        assert done.stderr == ""
    assert done.stdout.strip() == "1"
    parent, children = by_role(tmp_path)
    assert parent.end.reason == "stop"
    assert len(children) >= 10
    for child in children:
        assert child.end.reason == "stop"
        assert [s.name for s in child.spans.started] == ["in child"]


@pytest.mark.skipif(
    (3, 13) <= sys.version_info < (3, 13, 10) or (3, 14) <= sys.version_info < (3, 14, 1),
    reason="counts threads that begin again after the fork (gh-137109)",
)
def test_our_threads_alone_do_not_make_fork_warn(tmp_path):
    """Python 3.12+ warns of fork in a process with threads; ours are paused for it."""
    done = program(
        """
        profiler.start(sys.argv[1], 1000)
        for _ in range(100):
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)
        spin(0.1)
        profiler.stop()
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    parent, children = by_role(tmp_path)
    assert "spin" in functions(parent)
    assert len(children) < 50  # those that were not even looked at have no file


def test_child_that_is_killed_leaves_what_it_flushed(tmp_path):
    done = program(
        """
        profiler.start(sys.argv[1])
        pid = os.fork()
        if pid == 0:
            while True:
                in_child()
        time.sleep(1.8)
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    parent, (child,) = by_role(tmp_path)
    assert child.end is None
    assert "in_child" in functions(child)
    assert parent.end.reason == "exit"


@pytest.mark.parametrize("kind", ["Process", "Pool", "executor"])
def test_multiprocessing_children_write_their_end(tmp_path, kind):
    done = program(
        """
        import multiprocessing, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # pools have threads of their own
        context = multiprocessing.get_context("fork")
        def job(i):
            with profiler.transaction(f"job {i}"):
                in_child()
        profiler.start(sys.argv[1])
        if sys.argv[2] == "Process":
            children = [context.Process(target=job, args=(i,)) for i in range(4)]
            for c in children: c.start()
            for c in children: c.join()
            assert [c.exitcode for c in children] == [0] * 4
        elif sys.argv[2] == "Pool":
            with context.Pool(2) as pool:
                pool.map(job, range(4), chunksize=1)
                pool.close()
                pool.join()
        else:
            from concurrent.futures import ProcessPoolExecutor
            with ProcessPoolExecutor(2, mp_context=context) as pool:
                list(pool.map(job, range(4)))
        profiler.stop()
        """,
        tmp_path,
        kind,
    )
    assert (done.returncode, done.stderr) == (0, "")
    parent, children = by_role(tmp_path)
    assert parent.end.reason == "stop"
    assert len(children) == (4 if kind == "Process" else 2)
    assert {child.end.reason for child in children} == {"exit"}
    assert all("in_child" in functions(child) for child in children)
    done_jobs = {s.name for child in children for s in recordings.spans(child).values()}
    assert done_jobs == {f"job {i}" for i in range(4)}
    assert all(len(c.spans.ended) == len(c.spans.started) for c in children)


def test_subprocesses_are_left_alone(tmp_path):
    done = program(
        """
        import subprocess
        profiler.start(sys.argv[1])
        for _ in range(3):
            subprocess.run([sys.executable, "-c", "pass"], check=True)
            subprocess.run(["true"], check=True, preexec_fn=lambda: None)
        profiler.stop()
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list(tmp_path.iterdir())) == 1


SEEN = """
def seen():
    import _thread
    return (
        len(sys._current_frames()), threading.active_count(), len(threading.enumerate()),
        len(threading._dangling), _thread._count(),
    )
"""


def test_neither_parent_nor_child_finds_threads_of_ours(tmp_path):
    """CPython's own tests count threads in a child of fork, and so do programs."""
    done = program(
        SEEN
        + """
before = seen()
profiler.start(sys.argv[1], 1000, engine="native")
during = seen()
found = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        at_once = seen()
        other = threading.Thread(target=time.sleep, args=(0.05,), name="of the child")
        other.start()
        other.join()
        del other
        spin(0.05)
        os._exit(0 if at_once == before and seen() == before else 1)
    found.append(os.waitpid(pid, 0)[1])
    found.append(seen() == before)
print(before, during, found)
spin(1.2)
print(seen())
profiler.stop()
print(seen())
""",
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, *rest = done.stdout.splitlines()
    assert first == "(1, 1, 1, 1, 0) (1, 1, 1, 1, 0) [0, True, 0, True, 0, True]"
    assert rest == ["(1, 1, 1, 1, 0)"] * 2


@pytest.mark.parametrize("engine", ["native", "python"])
def test_short_threads_of_a_short_child_have_their_names(tmp_path, engine):
    done = program(
        """
        profiler.start(sys.argv[1], 1000, engine=sys.argv[2])
        pid = os.fork()
        if pid == 0:
            for number in range(3):
                other = threading.Thread(target=spin, args=(0.1,), name=f"short {number}")
                other.start()
                other.join()
            sys.exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        profiler.stop()
        """,
        tmp_path,
        engine,
    )
    assert (done.returncode, done.stderr) == (0, "")
    _, (child,) = by_role(tmp_path)
    assert child.end.reason == "exit"
    names = {row.thread for row in recordings.rows(child)}
    assert names == {"MainThread", "short 0", "short 1", "short 2"}


@pytest.mark.parametrize("engine", ["native", "python"])
def test_grandchildren_record_and_the_child_goes_on(tmp_path, engine):
    done = program(
        """
        profiler.start(sys.argv[1], 500, engine=sys.argv[2])
        pid = os.fork()
        if pid == 0:
            for _ in range(4):  # each fork pauses the child's recording
                inner = os.fork()
                if inner == 0:
                    in_child()
                    os._exit(3)
                in_parent()
                assert os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]) == 3
            os._exit(status=4)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4
        assert os._exit.__module__ in ("posix", "nt")  # the parent's is Python's own
        profiler.stop()
        """,
        tmp_path,
        engine,
    )
    assert (done.returncode, done.stderr) == (0, "")
    parent, others = by_role(tmp_path)
    pid = parent.header.pid
    (child,) = [r for r in others if r.header.parent_pid == pid]
    grandchildren = [r for r in others if r is not child]
    assert child.end.reason == "exit"
    assert "in_parent" in functions(child)
    assert "in_child" not in functions(child)
    assert len(grandchildren) == 4
    assert all(r.end.reason == "exit" and "in_child" in functions(r) for r in grandchildren)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_child_does_not_keep_the_parents_file_open(tmp_path):
    done = program(
        """
        def open_files():
            links = [f"/proc/self/fd/{n}" for n in os.listdir("/proc/self/fd")]
            return [os.readlink(link) for link in links if os.path.lexists(link)]
        profiler.start(sys.argv[1])
        assert any(name.endswith(".fspan") for name in open_files())
        pid = os.fork()
        if pid == 0:
            os._exit(any(name.endswith(".fspan") for name in open_files()))
        assert os.waitpid(pid, 0)[1] == 0
        profiler.stop()
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("engine", ["auto", "python"])
@pytest.mark.parametrize("leaves", ["nobody", "a thread"])
def test_child_of_a_thread_ends_with_its_last_thread(tmp_path, engine, leaves):
    """Python calls nothing at such an end, and the process lives as long as any thread of it."""
    done = program(
        """
        profiler.start(sys.argv[1], 200, engine=sys.argv[2])

        def fork():
            pid = os.fork()
            if pid == 0:
                if sys.argv[3] == "a thread":
                    threading.Thread(target=spin, args=(0.3,)).start()
                in_child()
                return
            ended, until = 0, time.perf_counter() + 30
            while not ended and time.perf_counter() < until:
                ended, status = os.waitpid(pid, os.WNOHANG)
                time.sleep(0.01)
            if not ended:
                os.kill(pid, 9)
            print("ended", status if ended else "never")

        thread = threading.Thread(target=fork)
        thread.start()
        thread.join()
        profiler.stop()
        """,
        tmp_path,
        engine,
        leaves,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ended 0\n"
    parent, children = by_role(tmp_path)
    assert parent.end.reason == "stop"
    if leaves == "nobody":
        (child,) = children
        assert child.end.reason == "exit"
        assert "in_child" in functions(child)
