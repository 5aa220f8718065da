"""Which transactions are recorded: by share, by a function; what belongs to one that is not."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import threading
import time

import pytest

from flamespan import profiler
from flamespan.aggregator import load
from flamespan.profiler.errors import UsageError
from flamespan.profiler.lifecycle import running
from helpers import recordings

ENGINES = ("native", "python")


@pytest.fixture(params=ENGINES)
def engine(request):
    if request.param == "native":
        pytest.importorskip("flamespan.profiler.engine._native", exc_type=ImportError)
    return request.param


@pytest.fixture
def record(tmp_path):
    """Start with a rate; what comes back stops and gives the recording."""

    def begin(rate, **options):
        started = profiler.start(tmp_path, 200, transaction_sample_rate=rate, **options)

        def finish():
            profiler.stop()
            return recordings.read(started.path)

        return finish

    yield begin
    profiler.stop()


def burn(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        sum(range(200))


def names(recording):
    return [s.name or s.op for s in recording.spans.started]


def by_name(name, op, tags):
    return name.startswith("yes")


def test_a_share_of_them_is_recorded_and_the_rest_counted(record):
    finish = record(0.25)
    for _ in range(4000):
        with profiler.transaction("t"), profiler.span("inner"):
            pass
    recording = finish()
    whole = names(recording).count("t")
    assert 800 < whole < 1200  # 7 standard deviations
    assert names(recording).count("inner") == whole
    assert recording.stats.unchosen_transactions == 4000 - whole
    assert recording.stats.dropped_spans == 0
    assert recording.header.transaction_sample_rate == 0.25


def test_none_and_all(record):
    finish = record(0)
    with profiler.transaction("t") as t:
        t.set_tag("a", 1)
        t.set_measurement("b", 2)
        t.set_status("c")
        assert t.id == 0
        assert profiler.current_span() is None
        profiler.set_tag("d", 3)
    recording = finish()
    assert not recording.spans
    assert recording.stats.unchosen_transactions == 1
    finish = record(1)
    for _ in range(100):
        with profiler.transaction("t"):
            pass
    assert len(finish().spans.started) == 100


def test_a_function_is_asked_once_with_what_there_is(record):
    asked = []

    def choose(name, op, tags):
        asked.append((name, op, dict(tags)))
        return name != "no"

    finish = record(choose)
    with profiler.transaction("yes", op="http", tags={"tier": "gold"}), profiler.span("part"):
        pass
    with profiler.transaction("no"), profiler.span("part"):
        pass
    with profiler.span("lone", "one"):
        pass
    recording = finish()
    assert asked == [("yes", "http", {"tier": "gold"}), ("no", "", {}), ("one", "lone", {})]
    assert names(recording) == ["yes", "part", "one"]
    assert recording.header.transaction_sampler.endswith("choose")


def test_a_function_may_give_a_share(record):
    finish = record(lambda name, op, tags: 0.5 if name == "half" else 1)
    for _ in range(1000):
        with profiler.transaction("half"):
            pass
    with profiler.transaction("whole"):
        pass
    found = names(finish())
    assert 350 < found.count("half") < 650
    assert found.count("whole") == 1


@pytest.mark.parametrize("wrong", ["raises", "text", "nan"])
def test_a_function_that_fails_is_counted_and_said_once(record, caplog, tmp_path, wrong):
    def choose(name, op, tags):
        if wrong == "raises":
            raise KeyError(name)
        return "often" if wrong == "text" else float("nan")

    finish = record(choose)
    with caplog.at_level(logging.WARNING, "flamespan"):
        for _ in range(3):
            with profiler.transaction("t"):
                pass
    recording = finish()
    assert names(recording) == ["t"] * 3
    assert recording.stats.choice_errors == 3
    assert len(caplog.records) == 1
    (process,) = load(tmp_path).info()["processes"]
    assert process["choice_errors"] == 3


def test_a_function_that_opens_transactions_itself(record):
    def choose(name, op, tags):
        with profiler.transaction("asks"), profiler.span("more"):
            return True

    finish = record(choose)
    with profiler.transaction("t"):
        pass
    assert names(finish()) == ["t"]


def test_children_tasks_and_threads_inherit_the_choice(record):
    finish = record(by_name)

    def in_thread():
        with profiler.span("thread part"):
            pass

    async def task():
        with profiler.span("task part"):
            await asyncio.sleep(0)

    async def main(name):
        with profiler.transaction(name):
            await asyncio.gather(task(), task())
            context = contextvars.copy_context()
            thread = threading.Thread(target=context.run, args=(in_thread,))
            thread.start()
            thread.join()

    @profiler.span("generator part")
    def generate():
        yield 1

    for name in ("yes", "no"):
        asyncio.run(main(name))
        with profiler.transaction(name):
            list(generate())
    recording = finish()
    found = names(recording)
    assert found.count("yes") == 2
    assert "no" not in found
    assert [found.count(f"{kind} part") for kind in ("task", "thread", "generator")] == [2, 1, 1]
    assert recording.stats.unchosen_transactions == 2


def test_what_outlives_an_unchosen_transaction_is_chosen_anew(record):
    finish = record(by_name)
    with profiler.transaction("no"):
        context = contextvars.copy_context()
    with profiler.transaction("yes 1"), profiler.transaction("no"), profiler.span("in no"):
        pass
    with profiler.transaction("no"), profiler.transaction("yes 2"), profiler.span("in yes"):
        pass

    def later():
        with profiler.span("yes 3"):
            pass

    context.run(later)
    assert names(finish()) == ["yes 1", "yes 2", "in yes", "yes 3"]


def test_samples_of_unchosen_ones_stay_but_belong_to_none(record, engine):
    finish = record(by_name, engine=engine)
    with profiler.transaction("no"), profiler.span("part"):
        burn(0.3)
    recording = finish()
    spans = {row.span for row in recordings.rows(recording)}
    assert spans == {0}
    assert sum("burn" in row.stack for row in recordings.rows(recording)) > 10


def test_in_transactions_mode_unchosen_ones_wake_nobody(record, engine):
    finish = record(by_name, engine=engine, mode="transactions")
    time.sleep(0.3)
    with profiler.transaction("no"):
        burn(0.3)
        assert running().engine.stats().passes == 0
    assert not list(recordings.rows(finish()))


def test_in_transactions_mode_their_samples_are_not_kept(record, engine):
    finish = record(by_name, engine=engine, mode="transactions")
    over = threading.Event()

    def left_out():
        with profiler.transaction("no"):
            while not over.is_set():
                burn(0.01)

    def unspanned():
        while not over.is_set():
            burn(0.01)

    threads = [threading.Thread(target=f) for f in (left_out, unspanned)]
    for thread in threads:
        thread.start()
    with profiler.transaction("yes"):
        burn(0.4)
    over.set()
    for thread in threads:
        thread.join()
    rows = list(recordings.rows(finish()))
    assert any("unspanned" in name for row in rows for name in row.stack)
    left_out = [row.stack for row in rows if any("left_out" in name for name in row.stack)]
    assert not [stack for stack in left_out if "burn" in stack]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_children_of_fork_choose_each_for_itself(tmp_path):
    done = recordings.run_python(
        """
        import os, sys
        from flamespan import profiler
        from flamespan.profiler.lifecycle import running
        profiler.start(sys.argv[1], transaction_sample_rate=0.5)
        def chosen():
            found = []
            for _ in range(64):
                with profiler.transaction("t") as t:
                    found.append("1" if t.id else "0")
            return "".join(found)
        for _ in range(3):
            if os.fork() == 0:
                print(chosen(), flush=True)
                os._exit(0)
            os.wait()
        """,
        str(tmp_path),
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.split()
    assert len(lines) == len(set(lines)) == 3


@pytest.mark.parametrize("rate", [-0.1, 1.5, "half", None])
def test_rates_that_cannot_be(tmp_path, rate):
    with pytest.raises(UsageError, match="transaction_sample_rate"):
        profiler.start(tmp_path, transaction_sample_rate=rate)


def test_on_the_command_line(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "from flamespan import profiler\n"
        "for _ in range(50):\n"
        "    with profiler.transaction('t'):\n"
        "        pass\n"
    )
    done = recordings.run_python(
        "import sys; from flamespan.profiler.__main__ import main; sys.exit(main(sys.argv[1:]))",
        *("run", "-q", "-o", str(tmp_path / "out"), "--transaction-sample-rate", "0"),
        *("--mode", "transactions", "--max-open-spans", "7", "--max-spans-per-s", "9"),
        str(program),
    )
    assert (done.returncode, done.stderr) == (0, "")
    recording = recordings.read_one(tmp_path / "out")
    assert recording.header.mode == "transactions"
    assert recording.header.transaction_sample_rate == 0
    assert recording.stats.unchosen_transactions == 50
    shown = recordings.run_python(
        "import sys; from flamespan.profiler.__main__ import main; sys.exit(main(sys.argv[1:]))",
        "info",
        str(tmp_path / "out"),
    )
    assert "chosen by 0 of them, 50 left out" in shown.stdout
