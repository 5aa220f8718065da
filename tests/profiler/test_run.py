"""``flamespan run`` against ``python``: the program must not be able to tell the difference."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import zipfile

import pytest

from helpers import recordings

TELL = """\
import sys, os
print(sys.argv)
print(sys.path[0])
print(__name__, globals().get("__file__"), __spec__ and __spec__.name, __package__)
print(sorted(k for k in globals()))
import __main__
print(__main__.__dict__ is globals(), sys.modules["__main__"] is __main__)
print(__loader__ is None)
"""


def python(*arguments, cwd, **options):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd, capture_output=True, text=True, check=False, timeout=60, **options,
    )  # fmt: skip


def run(*arguments, cwd, **options):
    return python(
        "-m", "flamespan.profiler", "run", "-q", "-o", "recorded", *arguments, cwd=cwd, **options
    )


def same(arguments, folder, **options):
    """Both ways give the same; returns python's."""
    truth, ours = python(*arguments, cwd=folder, **options), run(*arguments, cwd=folder, **options)
    assert ours.stdout == truth.stdout
    assert ours.stderr.replace(sys.executable, "python") == truth.stderr.replace(
        sys.executable, "python"
    )
    assert ours.returncode == truth.returncode
    return truth


@pytest.fixture
def folder(tmp_path):
    inner = tmp_path / "inner"
    package = inner / "pack"
    package.mkdir(parents=True)
    (tmp_path / "tell.py").write_text(TELL)
    (inner / "tell.py").write_text(TELL)
    (inner / "link.py").symlink_to(tmp_path / "tell.py")
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(TELL)
    (package / "part.py").write_text(TELL)
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("__main__.py", TELL)
    (tmp_path / "appdir").mkdir()
    (tmp_path / "appdir" / "__main__.py").write_text(TELL)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ["tell.py"],
        ["tell.py", "-o", "x", "--rate", "-m", "--", "-c", "--help"],
        ["./inner/tell.py", "a b", ""],
        ["inner/link.py"],
        ["-c", TELL, "-x", "--", "y"],
        ["-c", TELL],
        ["-m", "tell", "-m", "other", "--help"],
        ["-mtell", "one"],
        ["-m", "inner.pack", "1"],
        ["-m", "inner.pack.part", "-q"],
        ["app.zip", "a"],
        ["appdir", "-b"],
    ],
    ids=" ".join,
)
def test_a_program_sees_what_it_would_see(folder, arguments):
    same(arguments, folder)
    assert len(list((folder / "recorded").iterdir())) == 1


def test_a_program_from_standard_input(folder):
    same(["-", "-a", "--", "b"], folder, input=TELL)
    same(["-"], folder, input="def f():\n    1 / 0\nf()\n")


def test_double_dash_ends_our_options(folder):
    ours = run("--", "tell.py", "--", "x", cwd=folder)
    truth = python("tell.py", "--", "x", cwd=folder)
    assert (ours.stdout, ours.stderr) == (truth.stdout, "")


@pytest.mark.parametrize(
    "statement",
    [
        "sys.exit()",
        "sys.exit(0)",
        "sys.exit(7)",
        "sys.exit('a message')",
        "sys.exit(None)",
        "sys.exit((1, 2))",
        "sys.exit(True)",
        "sys.exit(-1)",
        "raise SystemExit",
        "raise SystemExit(9)",
        "quit(5)",
        "os._exit(6)",
        "1 / 0",
        "f()",
        "raise KeyError('x') from ValueError('y')",
        "raise ExceptionGroup('g', [ValueError(1)])",
        "open('nowhere.txt')",
        "import no_such_module",
        "sys.stdout.close()",
        "raise BrokenPipeError",
        "sys.excepthook = lambda *a: print('hook', a[0]); 1 / 0",
        "import atexit; atexit.register(print, 'at exit'); sys.exit(2)",
        "import threading; threading.Timer(0.1, print, ['thread']).start(); sys.exit(3)",
        "def broken(:",
        "raise KeyboardInterrupt",
    ],
)
def test_ends_of_a_program(folder, statement):
    code = f"import sys, os\ndef f():\n    return [][1]\nprint('begin', flush=True)\n{statement}\n"
    (folder / "ends.py").write_text(code)
    same(["ends.py"], folder)
    (file,) = (folder / "recorded").iterdir()
    assert recordings.read(file).header.pid


def test_exceptions_in_a_module_and_in_text(folder):
    (folder / "bad.py").write_text("def f():\n    1 / 0\nf()\n")
    same(["-m", "bad"], folder)
    if sys.version_info < (3, 13):  # later ones show the text of -c, which only they know
        same(["-c", "def f():\n    1 / 0\nf()"], folder)
    same(["-m", "no_such_module"], folder)


def test_isolated_and_safe_path_are_kept(folder):
    truth = python("-P", "tell.py", cwd=folder)
    ours = python(
        "-P", "-m", "flamespan.profiler", "run", "-q", "-o", "r", "tell.py", cwd=folder
    )  # fmt: skip
    assert ours.stdout == truth.stdout


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_interrupt(folder):
    (folder / "waits.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(30)\n")
    ends = []
    for front in ([], ["-m", "flamespan.profiler", "run", "-q", "-o", "recorded"]):
        with subprocess.Popen(
            [sys.executable, *front, "waits.py"],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            ends.append((process.wait(10), process.stderr.read()))
    assert ends[0] == ends[1]
    assert ends[0][0] == -signal.SIGINT
    assert recordings.read_one(folder / "recorded").end.reason == "exit"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.py"], "can't open file '.*nowhere.py': .Errno 2. No such file or directory"),
        (["inner"], "can't find '__main__' module in"),
        ([], "nothing to run"),
        (["--"], "nothing to run"),
        (["-m"], "-m needs"),
        (["-c"], "-c needs"),
        (["--rate", "0", "tell.py"], "1 to 10000"),
        (["--engine", "warp", "tell.py"], "no engine called"),
        (["-o", "tell.py", "tell.py"], "cannot record to"),
    ],
)
def test_mistakes_are_one_line_and_leave_no_file(folder, arguments, says):
    done = run(*arguments, cwd=folder)
    assert done.returncode == (1 if arguments == ["inner"] else 2)
    assert done.stdout == ""
    assert re.fullmatch(rf"flamespan: .*{says}.*\n", done.stderr)
    assert not (folder / "recorded").exists()


def test_it_says_where_the_recording_is(folder):
    done = python(
        "-m", "flamespan.profiler", "run", "-o", "my profiles", "tell.py", cwd=folder
    )  # fmt: skip
    (file,) = (folder / "my profiles").iterdir()
    line = done.stderr
    assert line.count("\n") == 1
    assert file.name in line
    assert "flamespan report 'my profiles'" in line


def test_options_reach_the_header_and_our_frames_are_not_in_the_stacks(folder):
    (folder / "work.py").write_text(
        "import time\n"
        "def work():\n"
        "    until = time.time() + 0.3\n"
        "    while time.time() < until: pass\n"
        "def deep(n):\n"
        "    return deep(n - 1) if n else work()\n"
        "work()\n"
        "deep(600)\n"
    )
    for front, program in (["work.py"], "work.py"), (["-m", "work"], "-m work"):
        done = run("--rate=250", "--release", "3", "--environment=test", *front, cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        recording = recordings.read_one(folder / "recorded")
        header = recording.header
        assert header.service == "work"
        assert header.program == program
        assert header.paths["main"] == str(folder / "work.py")
        assert (header.release, header.environment) == ("3", "test")
        assert header.interval_ns == 4_000_000
        stacks = {row.stack for row in recordings.rows(recording) if "work" in row.stack}
        assert {stack[0] for stack in stacks} == {"<module>"}
        assert ("<module>", "work") in stacks
        assert any(len(stack) > 200 for stack in stacks)
        tables = recording.tables
        assert {f.file for f in tables.functions if f.name == "<module>"} == {
            str(folder / "work.py")
        }
        for file in (folder / "recorded").iterdir():
            file.unlink()


def test_a_program_that_records_itself_may_stop_early(folder):
    (folder / "stops.py").write_text("from flamespan import profiler\nprint(profiler.stop())\n")
    done = run("stops.py", cwd=folder)
    assert done.returncode == 0
    assert recordings.read_one(folder / "recorded").end.reason == "stop"
