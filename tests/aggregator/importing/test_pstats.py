"""cProfile's files, read without marshal."""

from __future__ import annotations

import cProfile
import marshal
import pstats

import pytest

from flamespan.aggregator import load
from flamespan.aggregator.importing import detect
from flamespan.profiler.errors import SampleFileError


def inner(n):
    return sum(i * i for i in range(n))


def outer():
    return [inner(500) for _ in range(20)]


@pytest.fixture
def recorded(tmp_path):
    path = tmp_path / "x.prof"
    profiler = cProfile.Profile()
    profiler.runcall(outer)
    profiler.dump_stats(path)
    return path


def test_self_and_total_are_pstats_own(recorded):
    assert detect(recorded.read_bytes()) == "pstats"
    table = load(recorded).functions()
    ours = {
        (file or "~", line, name): (own, total)
        for name, file, line, own, total in zip(
            *(table[key] for key in ("function", "file", "line", "self_ns", "total_ns")),
            strict=True,
        )
    }
    theirs = {
        key: (round(tt * 1e9), max(round(ct * 1e9), round(tt * 1e9)))
        for key, (_, _, tt, ct, _) in pstats.Stats(str(recorded)).stats.items()
    }
    assert ours == theirs
    assert len(ours) > 3


def test_it_says_that_there_are_no_stacks(recorded):
    profile = load(recorded)
    assert any("without stacks" in note for note in profile.processes[0].notes)
    assert any("keeps no stacks" in caveat for caveat in profile.caveats)
    assert max(profile.tree().depth) == 1


def test_a_function_that_is_hidden_leaves_the_others_their_times(recorded):
    profile = load(recorded)
    for view in (profile.hide("outer"), profile.application_frames()):
        before, after = (p.functions().set_index("function")["total_ns"] for p in (profile, view))
        kept = set(after.index) & set(before.index)
        assert "inner" in kept
        assert all(after[name] == before[name] for name in kept if not name.startswith("<"))


def test_two_files_add_up(recorded, tmp_path):
    copy = tmp_path / "y.prof"
    copy.write_bytes(recorded.read_bytes())
    one, two = load(recorded).functions(), load(recorded, copy).functions()
    assert list(two["total_ns"]) == [2 * total for total in one["total_ns"]]


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4])
def test_every_version_of_marshal(tmp_path, version):
    path = tmp_path / "x.prof"
    table = {("ünïcode.py", 3, "f"): (1, 2**40, 0.5, 2, {("a.py", 1, "g"): (1, 1, 0.1, 0.2)})}
    path.write_bytes(marshal.dumps(table, version))
    if version < 2:
        # Numbers as text: cProfile has not written these since Python 2.
        assert detect(path.read_bytes()) == "pstats"
        return
    (row,) = load(path).functions().to_dict("records")
    assert (row["function"], row["file"], row["line"]) == ("f", "ünïcode.py", 3)
    assert (row["self_ns"], row["total_ns"]) == (500_000_000, 2_000_000_000)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (marshal.dumps({("a", 1, "f"): (1, 1, 0.5)}), "is no function"),
        (marshal.dumps({("a", 1, "f"): (1, 1, -0.5, 1.0, {})}), "no times that could be: -0.5 s"),
        (marshal.dumps({("a", 1, "f"): (1, 1, float("nan"), 1.0, {})}), "no times that could be"),
        (marshal.dumps({("a", 1, 2): (1, 1, 0.5, 1.0, {})}), "is no function"),
        (marshal.dumps({("a", 1, "f"): (1, 1, 0.5, 1.0, {})})[:-3], "cut off|no cProfile"),
        (marshal.dumps({("a", 1, compile("1", "x", "eval")): 3}), "of type 'c'"),
        (b"\xfb\x29\x03" + b"\x29\x03" * 50, "nested too deep"),
        (b"{)\x03z\xff", "cut off"),
    ],
)
def test_hostile_files_are_refused(tmp_path, data, reason):
    path = tmp_path / "x.prof"
    path.write_bytes(data)
    with pytest.raises(SampleFileError, match=reason):
        load(path)
