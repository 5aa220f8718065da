"""What only the Python engine does: states inferred, gaps judged, buffers bounded."""

from __future__ import annotations

import ast
import inspect
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from types import CodeType

import pytest

from flamespan.profiler.engine.leaf import CALLS, CHECKS, leaf_kind, state_of
from flamespan.profiler.engine.python import PythonEngine
from flamespan.profiler.engine.stacks import line_of
from flamespan.profiler.model import Recording, State, Tables
from helpers import recordings

MS = 1_000_000


def rows_of(batch):
    whole = Recording(header=None, tables=Tables())
    whole.tables.add(batch.definitions)
    whole.samples.append(batch.samples)
    return list(recordings.rows(whole))


def all_codes(code):
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from all_codes(const)


@pytest.mark.parametrize("module", [ast, inspect, subprocess], ids=lambda m: m.__name__)
def test_lines_are_those_of_the_compiler(module):
    source = inspect.getsource(module)
    checked = 0
    for code in all_codes(compile(source, module.__file__, "exec")):
        for number, (line, *_) in enumerate(code.co_positions()):
            assert line_of(code, number * 2) == (line or 0)
            checked += 1
        assert line_of(code, -1) == code.co_firstlineno
        assert line_of(code, 10**6) == 0
    assert checked > 5000


def test_lines_are_those_of_running_frames():
    def watch():
        frame = inspect.currentframe()
        seen.append(line_of(frame.f_code, frame.f_lasti) == frame.f_lineno)
        outer = frame.f_back
        seen.append(line_of(outer.f_code, outer.f_lasti) == outer.f_lineno)

    seen = []
    watch()
    (watch(),
     watch())  # fmt: skip
    for _ in range(3):
        watch() if seen else None
    assert all(seen)
    assert len(seen) == 12


def test_leaf_kinds_of_a_loop():
    def loop(f):
        while True:
            f()

    import dis

    kinds = {
        i.opname.partition("_")[0]: leaf_kind(loop.__code__, i.offset)
        for i in dis.get_instructions(loop)
    }
    assert kinds["RESUME"] == CHECKS
    assert kinds["JUMP"] == CHECKS
    assert kinds["CALL"] == CALLS


@pytest.mark.parametrize(
    ("leaf", "wall", "cpu", "clock", "state"),
    [
        (CALLS, 100, 0, True, State.IDLE),
        (CALLS, 100, 10, True, State.IDLE),
        (CALLS, 100, 25, True, State.RUNNING),
        (CHECKS, 100, 0, True, State.GIL_WAIT),
        (CHECKS, 100, 10, True, State.GIL_WAIT),
        (CHECKS, 100, 90, True, State.RUNNING),
        (CALLS, 100, 0, False, State.UNKNOWN),
    ],
)
def test_state_rule(leaf, wall, cpu, clock, state):
    assert state_of(leaf, wall, cpu, clock) == state


def test_threads_that_fight_for_the_gil_wait_for_it():
    def fight():
        n = 0
        while not over.is_set():
            for _ in range(1000):
                n += 1

    over = threading.Event()
    threads = [threading.Thread(target=fight, name=f"fighter {n}") for n in range(6)]
    engine = PythonEngine((200, 56))
    for thread in threads:
        thread.start()
    engine.start(5 * MS)
    time.sleep(1.0)
    engine.stop()
    over.set()
    for thread in threads:
        thread.join()
    rows = rows_of(engine.drain())
    fighters = [row for row in rows if row.thread.startswith("fighter")]
    states = Counter(row.state for row in fighters)
    assert states[State.GIL_WAIT] > states[State.RUNNING] > 0
    assert states[State.IDLE] < 0.1 * len(fighters)
    wall, cpu = sum(r.wall_ns for r in fighters), sum(r.cpu_ns for r in fighters)
    assert cpu < 0.35 * wall  # six share one GIL
    idle_main = [row for row in rows if row.thread == "MainThread"][2:]
    assert {row.state for row in idle_main} == {State.IDLE}


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_time_in_which_the_process_was_stopped_is_not_charged(tmp_path):
    code = (
        "import sys, time\nfrom flamespan import profiler\n"
        "profiler.start(sys.argv[1])\nprint('go', flush=True)\n"
        "def spin():\n    until = time.monotonic() + 1.4\n"
        "    while time.monotonic() < until: pass\n"
        "spin()\nprofiler.stop()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(0.7)
        os.kill(process.pid, signal.SIGCONT)
    recording = recordings.read_one(tmp_path)
    unobserved = sum(sum(s.pass_unobserved) for s in recording.samples) * 1000
    charged = sum(row.wall_ns for row in recordings.rows(recording) if "spin" in row.stack)
    assert 600 * MS < unobserved < 1000 * MS
    assert 400 * MS < charged < 850 * MS
    assert max(row.wall_ns for row in recordings.rows(recording)) < 300 * MS


def test_full_buffer_drops_whole_passes_and_accounts_for_their_time():
    engine = PythonEngine((200, 56), max_samples=10)
    engine.start(2 * MS)
    time.sleep(0.15)
    first, stats = engine.drain(), engine.stats()
    time.sleep(0.05)
    engine.stop()
    second = engine.drain()
    assert len(first.samples) <= 10
    assert stats.dropped_samples > 5
    assert stats.passes > len(first.samples.pass_ticks)
    # The first pass after the hole lies where it was, and the hole is charged to nobody.
    assert second.samples.pass_unobserved[0] > 50_000
    assert second.samples.pass_ticks[0] > second.samples.pass_unobserved[0]
    assert rows_of(first)[0].stack


def test_many_stacks_ask_for_a_new_file():
    engine = PythonEngine((200, 56), max_stacks=5)

    def down(n):
        if n:
            down(n - 1)
        else:
            time.sleep(0.03)

    engine.start(2 * MS)
    down(20)
    assert engine.wants_restart
    engine.drain(restart=True)
    time.sleep(0.001)
    engine.stop()
    assert len(engine.drain().definitions.stack_parent) < 100


def test_seeded_random_numbers_stay_the_same():
    import random

    random.seed(5)
    truth = [random.random() for _ in range(5)]
    random.seed(5)
    engine = PythonEngine((200, 56))
    engine.start(MS)
    time.sleep(0.05)
    engine.stop()
    assert [random.random() for _ in range(5)] == truth


def test_passes_do_not_keep_step_with_the_program():
    """Gaps vary, so that a program with the sampler's own period is seen at every phase."""
    engine = PythonEngine((200, 56))
    engine.start(10 * MS)
    time.sleep(1.0)
    engine.stop()
    gaps = list(engine.drain().samples.pass_ticks)[1:]
    near = [gap for gap in gaps if 9_500 < gap < 10_500]
    assert len(gaps) > 60
    assert len(near) < 0.4 * len(gaps)
    assert 9_000 < sum(gaps) / len(gaps) < 12_500
