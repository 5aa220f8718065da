"""austin's text and CPython 3.15's collapsed stacks."""

from __future__ import annotations

import pytest

from flamespan.aggregator import load
from flamespan.aggregator.importing import detect
from flamespan.profiler.errors import SampleFileError
from helpers.imports import read_or_refuse, rows

AUSTIN = """# austin: 3.7.0
# interval: 10000
# mode: wall

P7;T0:8;/srv/a.py:<module>:3;/srv/a.py:C.f:12 1318
P7;T0:9;/srv/a.py:C.f:14;:GC: 20
P7;T0:8 5

# duration: 3032829
"""
CPYTHON = (
    "tid:5700;<frozen runpy>:_run_code:87;a.py:<module>:15;a.py:wait:8 872\n"
    "tid:5701;C:\\app\\b.py:run:3;~:<GC>:0 2\n"
)


def write(tmp_path, text):
    path = tmp_path / "x.txt"
    path.write_text(text)
    return path


def test_austin(tmp_path):
    path = write(tmp_path, AUSTIN)
    assert detect(path.read_bytes()) == "austin"
    imported = read_or_refuse(path)
    assert rows(imported) == [
        ([("<module>", "/srv/a.py", 0, 3), ("C.f", "/srv/a.py", 0, 12)], 1_318_000),
        ([("C.f", "/srv/a.py", 0, 14), ("<gc>", "", 0, 0)], 20_000),
        ([], 5_000),
    ]
    threads = [imported.tables.threads[i].native_id for i in imported.thread]
    assert (threads, imported.processes[0].pid) == ([8, 9, 8], 7)
    assert detect(b"P7;T0:8;/srv/a.py:f:3 10\n") == "austin", "without its head too"


def test_austins_idle_samples_are_idle(tmp_path):
    text = "# austin: 3.7.0\n# mode: full\nP7;T0:8;a:f:1 10,0,8\nP7;T0:8;a:g:1 20,1,-4\n"
    profile = load(write(tmp_path, text))
    assert (profile.total_ns, profile.all_states().total_ns) == (10_000, 30_000)


def test_austins_cpu_mode(tmp_path):
    profile = load(write(tmp_path, "# austin: 3.7.0\n# mode: cpu\nP7;T8;a:f:1 10\n"))
    assert profile.clock("cpu").total_ns == 10_000


def test_cpythons_collapsed_stacks(tmp_path):
    path = write(tmp_path, CPYTHON)
    assert detect(path.read_bytes()) == "cpython"
    imported = read_or_refuse(path, 1_000_000)
    assert rows(imported) == [
        (
            [
                ("_run_code", "<frozen runpy>", 0, 87),
                ("<module>", "a.py", 0, 15),
                ("wait", "a.py", 0, 8),
            ],
            872_000_000,
        ),
        ([("run", "C:\\app\\b.py", 0, 3), ("<gc>", "", 0, 0)], 2_000_000),
    ]
    assert [imported.tables.threads[i].native_id for i in imported.thread] == [5700, 5701]
    assert any("--unit 1ms" in note for note in load(path).processes[0].notes)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("# austin: 3\nP7;T0:8;a:f:1 10\nP7;T0:8;a:f:1\n", 3, "is no sample"),
        ("# austin: 3\nP7;T0:8;a:f:1 1.5\n", 2, "is no sample"),
        ("# austin: 3\n# mode: memory\nP7;T0:8;a:f:1 10\n", 2, "bytes of memory"),
        ("# austin: 3\n", None, "holds no samples"),
        ("tid:1;a:f:1 2\ntid:1;a:f:1\n", 2, "is no stack"),
        ("tid:1;a:f:1 1000000000000\n" * 20, 10, "292 years"),
    ],
)
def test_errors_name_file_line_and_reason(tmp_path, text, line, reason):
    path = write(tmp_path, text)
    with pytest.raises(SampleFileError, match=reason) as caught:
        load(path, unit_ns=10**6)
    assert (caught.value.path, caught.value.offset) == (str(path), line)
