"""Reading collapsed stacks: what py-spy and other tools write, and what is not that."""

import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flamespan.aggregator.importing import detect, import_file
from flamespan.aggregator.importing.collapsed import split_frame
from flamespan.profiler.errors import SampleFileError, UsageError

PY_SPY_THREADS = (
    'process 5112:"python shop.py";thread (5117): worker;Thread.run (threading.py:982);'
    "work (prog.py:5);spin (prog.py:4) 44\n"
    'process 5112:"python shop.py";process 5120:"python -c x";thread (0x7F01AB): MainThread;'
    "<module> (prog.py:6);spin (prog.py:4) 54\n"
)


def write(tmp_path, content, encoding="utf-8"):
    path = tmp_path / "stacks.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def rows(imported):
    """Each row as [(name, file, line), …] and its weight."""
    tables = imported.tables
    found = []
    for stack, weight in zip(imported.stack, imported.weight_ns, strict=True):
        frames = []
        for frame in tables.stacks.frames(stack):
            function = tables.functions[tables.frame_function[frame]]
            frames.append((function.name, function.file, tables.frame_line[frame]))
        found.append((frames, weight))
    return found


def read(path, unit_ns=None):
    assert detect(path.read_bytes()) == "collapsed"
    return import_file(path, "collapsed", unit_ns)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("main (app.py:12)", ("main", "app.py", 12)),
        ("main (app.py)", ("main", "app.py", 0)),
        ("main", ("main", "", 0)),
        ("<module> (<string>:1)", ("<module>", "<string>", 1)),
        (r"f (C:\Program Files (x86)\my app.py:3)", ("f", r"C:\Program Files (x86)\my app.py", 3)),
        (r"f (C:\app.py)", ("f", r"C:\app.py", 0)),
        (
            "operator new(unsigned long) (libstdc++.so)",
            ("operator new(unsigned long)", "libstdc++.so", 0),
        ),
        ("call()", ("call()", "", 0)),
        ("two words", ("two words", "", 0)),
        ("odd ) (a.py:2)", ("odd )", "a.py", 2)),
        ("odd (a).py:2)", ("odd", "a).py", 2)),
        ("(a.py:2)", ("(a.py:2)", "", 0)),
        ("f (:0)", ("f", "", 0)),
        ("f (x) (:0)", ("f (x)", "", 0)),
    ],
)
def test_a_frame_is_a_name_a_file_and_a_line(text, parts):
    assert split_frame(text) == parts


def test_what_py_spy_writes_with_threads_and_subprocesses(tmp_path):
    imported = read(write(tmp_path, PY_SPY_THREADS), unit_ns=10_000_000)
    spin = ("spin", "prog.py", 4)
    assert rows(imported) == [
        ([("Thread.run", "threading.py", 982), ("work", "prog.py", 5), spin], 440_000_000),
        ([("<module>", "prog.py", 6), spin], 540_000_000),
    ]
    threads = [imported.tables.threads[index] for index in imported.thread]
    assert [(t.name, t.native_id, t.ident) for t in threads] == [
        ("worker", 5117, 0),
        ("MainThread", 0, 0x7F01AB),
    ]
    processes = [imported.processes[imported.thread_process[t.index]] for t in threads]
    assert [(p.pid, p.command) for p in processes] == [
        (5112, "python shop.py"),
        (5120, "python -c x"),
    ]


def test_what_had_to_be_assumed_is_said(tmp_path):
    path = write(tmp_path, "a (x.py:1) 3\n")
    assumed = "\n".join(import_file(path, "collapsed").notes)
    assert "where functions begin" in assumed
    assert "taken as nanoseconds" in assumed
    assert "nanoseconds" not in "\n".join(import_file(path, "collapsed", 1).notes)


def test_equal_frames_and_prefixes_share_their_ids(tmp_path):
    imported = read(
        write(tmp_path, "a (x.py:1);b (x.py:2) 3\na (x.py:1);b (x.py:5) 4\na (x.py:1) 5\n")
    )
    tables = imported.tables
    assert [f.name for f in tables.functions] == ["<lost>", "a", "b"]
    assert list(tables.stacks.parent) == [0, 0, 1, 1]
    assert list(tables.frame_line) == [0, 1, 2, 5]
    assert list(imported.stack) == [2, 3, 1]


def functions(tmp_path, text):
    imported = read(write(tmp_path, text))
    tables = imported.tables
    assert [tables.frame_line[f] for f in range(1, len(tables.frame_line))]
    return [(f.name, f.first_line) for f in tables.functions[1:]]


def test_lines_are_where_functions_begin_unless_the_file_shows_they_were_running(tmp_path):
    first = "<module> (a.py:1);f (a.py:4);<lambda> (a.py:9) 3\n<module> (a.py:1);f (a.py:4) 2\n"
    assert functions(tmp_path, first) == [("<module>", 1), ("f", 4), ("<lambda>", 9)]
    other = "<module> (a.py:1);<lambda> (a.py:12) 1\n"
    assert functions(tmp_path, first + other)[-1] == ("<lambda>", 12)
    at_module_line = first + "<module> (a.py:30);f (a.py:4) 1\n"
    assert functions(tmp_path, at_module_line) == [("<module>", 0), ("f", 0), ("<lambda>", 0)]
    two_lines = first + "f (a.py:5) 1\n"
    assert functions(tmp_path, two_lines) == [("<module>", 0), ("f", 0), ("<lambda>", 0)]
    many = "".join(f"f{i} (a.py:{i + 20}) 1\n" for i in range(20))
    property_pair = first + many + "C.x (a.py:50);f (a.py:4) 1\nC.x (a.py:55) 1\n"
    assert ("C.x", 50) in functions(tmp_path, property_pair)
    assert ("C.x", 55) in functions(tmp_path, property_pair)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_and_line_ends(tmp_path, encoding, end):
    text = end.join(["# made by hand", "", "größe;名前 (ü.py:3) 7", "größe 1", ""])
    imported = read(write(tmp_path, text, encoding))
    assert rows(imported) == [
        ([("größe", "", 0), ("名前", "ü.py", 3)], 7),
        ([("größe", "", 0)], 1),
    ]


def test_bytes_that_are_no_utf8_are_kept_as_a_mark(tmp_path):
    assert rows(read(write(tmp_path, b"caf\xe9;b 3\n")))[0][0][0][0] == "caf�"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a;b 1\na;b\n", 2, "does not end with a space and a number"),
        ("a;b 1\n\na;b 1.5\n", 3, "is no whole number"),
        ("a;b 1\na;b -4\n", 2, "is negative"),
        ("a 9223372036854775000\na 9000\n", 2, "add up to more"),
        ("a " + "9" * 5000 + "\n", 1, "add up to more"),
        ("# nothing\n\n", None, "no stacks"),
    ],
)
def test_errors_name_file_line_and_reason(tmp_path, text, line, reason):
    path = write(tmp_path, text)
    with pytest.raises(SampleFileError, match=reason) as caught:
        import_file(path, "collapsed")
    assert (caught.value.path, caught.value.offset) == (str(path), line)


@pytest.mark.parametrize(
    ("weight", "reason"),
    [
        ("1.5", "is no whole number: say what 1 stands for"),
        ("-5", "the weight -5 is negative"),
        ("nan", "is no number to add up"),
        ("1e400", "is no number to add up"),
    ],
)
def test_a_weight_that_is_no_whole_number_is_named(tmp_path, weight, reason):
    path = write(tmp_path, f"a;b {weight}\na;c 7\n")
    assert detect(path.read_bytes()) == "collapsed"
    with pytest.raises(SampleFileError, match=reason):
        import_file(path, "collapsed")


def test_weights_with_a_fraction_count_units(tmp_path):
    path = write(tmp_path, "a;b 1.5\na;c 2\na;d .25\na;e 1e1\n")
    weights = [weight for _, weight in rows(import_file(path, "collapsed", 1_000_000))]
    assert weights == [1_500_000, 2_000_000, 250_000, 10_000_000]


def test_a_long_weight_that_is_none_takes_no_time(tmp_path):
    path = write(tmp_path, "a;b 1\na;c " + "1" * 300_000 + "x\n")
    with pytest.raises(SampleFileError, match="does not end with a space and a number"):
        import_file(path, "collapsed")


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0b", "\x0c", "\x1e"])
def test_names_may_hold_what_ends_lines_elsewhere(tmp_path, separator):
    path = write(tmp_path, f"a{separator}b;c 3\n")
    assert detect(path.read_bytes()) == "collapsed"
    assert rows(import_file(path, "collapsed"))[0][0][0][0] == f"a{separator}b"


def test_a_missing_file_and_a_silly_unit(tmp_path):
    with pytest.raises(SampleFileError, match="No such file"):
        import_file(tmp_path / "none.txt", "collapsed")
    with pytest.raises(UsageError, match="1 ns or more"):
        import_file(write(tmp_path, "a 1\n"), "collapsed", 0)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\x89fspan\r\n\x01\x00",
        b'{"$schema": "https://www.speedscope.app/file-format-schema.json", "x": 1',
        b"\x1f\x8b\x08\x00\x00\x00",
        b"root:x:0:0:root:/root:/bin/bash\n",
        b"import os\n",
        b"[1, 2]\n",
        b"a\0b 1\n",
    ],
)
def test_other_files_are_not_taken_for_stacks(head):
    assert detect(head) != "collapsed"


def test_a_first_line_that_is_longer_than_the_head_is_recognised():
    assert detect(b"some_function (a/file.py:12);" * 4000) == "collapsed"


frames = st.text(string.printable + "é \x1c ", max_size=12)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused_with_a_place(tmp_path, content):
    path = write(tmp_path, content)
    detect(content)
    try:
        imported = import_file(path, "collapsed", 3)
    except SampleFileError as error:
        refused = error
    else:
        refused = None
    if refused:
        lines = content.count(b"\n") + content.count(b"\r") + 1
        assert refused.path == str(path)
        assert refused.reason
        assert refused.offset is None or 1 <= refused.offset <= lines
        return
    tables = imported.tables
    assert len(imported.stack) == len(imported.weight_ns) == len(imported.thread)
    assert all(parent < node or not node for node, parent in enumerate(tables.stacks.parent))
    assert max(imported.stack) < len(tables.stacks)
    assert all(weight % 3 == 0 for weight in imported.weight_ns)


@given(
    st.lists(st.tuples(st.lists(frames, max_size=6), st.integers(0, 10**9)), min_size=1, max_size=8)
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_slow_reader_agrees(tmp_path, stacks):
    """Against splitting by hand, for lines whose frames need no interpretation."""
    clean = [
        ([f.translate({ord(c): "_" for c in ";\r\n()#"}) for f in stack if f], weight)
        for stack, weight in stacks
    ]
    clean = [
        ([f for f in stack if not f.startswith(("process ", "thread "))], w) for stack, w in clean
    ]
    text = "".join(f"{';'.join(stack)} {weight}\n" for stack, weight in clean)
    imported = import_file(write(tmp_path, text), "collapsed")
    assert rows(imported) == [([(f, "", 0) for f in stack], weight) for stack, weight in clean]
