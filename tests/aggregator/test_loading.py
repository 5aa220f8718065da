"""Loading: several files, parts, processes, damage, and files made to hurt."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamespan.aggregator import load
from flamespan.profiler.errors import SampleFileError, UsageError
from flamespan.profiler.model import Header, SpanEnd, SpanStart
from helpers.drawn import EPOCH_NS, PATHS, Drawing, folded, functions


def header(session, part=0, pid=7, **more):
    return Header(
        session_id=session, part=part, pid=pid, interval_ns=10, start_wall_ns=EPOCH_NS,
        paths=PATHS, **more,
    )  # fmt: skip


def drawing(*passes, threads=((0, "MainThread"),)):
    made = Drawing()
    for index, name in threads:
        made.thread(index, name)
    for wall, stack in passes:
        made.add_pass(wall, [(0, stack)])
    return made


def test_processes_stay_apart_and_functions_join(tmp_path):
    drawing((10, "main;a"), (20, "main;b")).write(tmp_path / "1.fspan", header("one", pid=1))
    drawing((5, "main;b"), (7, "x;main")).write(tmp_path / "2.fspan", header("two", pid=2))
    profile = load(tmp_path)
    assert [process.header.pid for process in profile.processes] == [1, 2]
    assert functions(profile) == {"a": [10, 10], "b": [25, 25], "main": [7, 42], "x": [0, 7]}
    assert folded(profile) == {"main;a": 10, "main;b": 25, "x;main": 7}
    assert folded(profile.process(2)) == {"main;b": 5, "x;main": 7}
    assert len(profile.threads()) == 2
    one, two = tmp_path / "1.fspan", tmp_path / "2.fspan"
    for ways in ((one, two), ([two, one],), (str(tmp_path / "*.fspan"),), (tmp_path, one)):
        assert load(*ways).folded() == profile.folded()


def test_parts_of_one_recording_are_one_process(tmp_path):
    first = drawing((10, "main;a"))
    first.spans.started.append(SpanStart(1, 0, 100, "job", "", "", 2))
    second = drawing((30, "main;b"))
    second.samples.start_ticks = 10
    second.samples.span[0] = 1
    second.spans.started.append(SpanStart(1, 0, 100, "job", "", "", 2))  # told again: still open
    second.spans.ended.append(SpanEnd(1, 35, "ok"))
    first.write(tmp_path / "z.fspan", header("s", 0))
    second.write(tmp_path / "a.fspan", header("s", 1))
    profile = load(tmp_path)
    (process,) = profile.processes
    assert [path.rsplit("/", 1)[-1] for path in process.paths] == ["z.fspan", "a.fspan"]
    assert process.passes == 2
    assert len(profile.tables.threads) == 1
    (row,) = profile.transactions(instances=True).to_dict("records")
    assert (row["duration_ns"], row["wall_ns"], row["status"]) == (33, 30, "ok")
    assert profile.rows.time_ns.tolist() == [EPOCH_NS + 10, EPOCH_NS + 40]


def test_what_cannot_be_read_is_left_out_of_a_folder_but_not_when_named(tmp_path):
    drawing((10, "main")).write(tmp_path / "good.fspan", header("s"))
    (tmp_path / "bad.fspan").write_bytes(b"\x89fspan\r\n")
    profile = load(tmp_path)
    assert profile.total_ns == 10
    (left_out,) = profile.info()["processes"][0]["left_out"]
    assert "bad.fspan" in left_out
    with pytest.raises(SampleFileError, match=r"bad\.fspan"):
        load(tmp_path / "good.fspan", tmp_path / "bad.fspan")
    (tmp_path / "good.fspan").unlink()
    with pytest.raises(SampleFileError, match=r"bad\.fspan"):
        load(tmp_path)


def test_nothing_found_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match=r"no sample file.*record one with"):
        load(tmp_path)
    with pytest.raises(UsageError, match="no such file or folder"):
        load(tmp_path / "nothing")
    with pytest.raises(UsageError, match="no such file or folder"):
        load(tmp_path / "*.fspan")
    with pytest.raises(UsageError, match="no file given"):
        load()
    (tmp_path / "notes.bin").write_bytes(b"\x00\x01\x02")
    with pytest.raises(SampleFileError, match="neither a flamespan sample file nor"):
        load(tmp_path / "notes.bin")


def test_a_recording_without_samples_has_empty_tables(tmp_path):
    Drawing().write(tmp_path / "empty.fspan", header("s"))
    profile = load(tmp_path)
    assert profile.total_ns == profile.duration_ns == 0
    for table in (
        profile.functions(), profile.lines(), profile.modules(), profile.threads(),
        profile.transactions(), profile.transactions(instances=True), profile.spans(),
        profile.gaps(), profile.op_breakdown(),
    ):  # fmt: skip
        assert table.empty
        assert len(table.columns)
    assert len(profile.tree()) == len(profile.tree("bottom-up")) == 1
    assert profile.application_frames().collapse_recursion("cycles").folded() == {}
    assert profile.info()["samples"] == 0


@settings(max_examples=80)
@given(
    column=st.sampled_from(
        ["thread", "stack", "span", "wall_extra", "cpu_ticks", "state", "flags"]
    ),
    value=st.sampled_from([5, 255, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 63) - 1]),
)
def test_impossible_ids_are_nobodys(tmp_path_factory, column, value):
    made = drawing((10, "main;a"), (10, "main;b"))
    values = getattr(made.samples, column)
    try:
        values[1] = value
    except OverflowError:
        return
    path = made.write(tmp_path_factory.mktemp("hostile") / "h.fspan", header("s"))
    profile = load(path).all_states()
    assert len(profile.rows) == 2
    assert profile.functions()["self_ns"].sum() == profile.total_ns
    assert set(profile.functions()["function"]) <= {"main", "a", "b", "<lost>"}
    assert set(profile.threads()["thread"]) <= {"MainThread", "<lost>"}
    assert profile.transactions().empty


def test_an_empty_file_is_said_to_be_empty(tmp_path):
    path = tmp_path / "out.txt"
    path.touch()
    with pytest.raises(SampleFileError, match="the file is empty"):
        load(path)
