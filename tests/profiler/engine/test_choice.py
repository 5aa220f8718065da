"""Which engine is chosen where, and that it is said why."""

from __future__ import annotations

import sys

import pytest

from flamespan.profiler.engine import choose
from flamespan.profiler.errors import UsageError
from helpers.recordings import read_one, run_python

# Answers EPERM to system calls, as a container's filter does (seccomp, classic BPF).
FORBID = """
import ctypes, struct, sys
def forbid(*numbers):
    libc = ctypes.CDLL(None, use_errno=True)
    code = [(0x20, 0, 0, 0)]  # load the system call's number
    for place, number in enumerate(numbers):
        code.append((0x15, len(numbers) - place, 0, number))  # to the last but one line
    code += [(0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0x00050001)]  # allow; EPERM
    lines = b"".join(struct.pack("HBBI", *line) for line in code)
    held = ctypes.create_string_buffer(lines)
    program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(held))
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.c_char_p(program), 0, 0) == 0, ctypes.get_errno()
"""
CLOSE_RANGE, PROCESS_VM_READV = 436, 310
only_linux = pytest.mark.skipif(
    sys.platform != "linux" or sys.maxsize < 2**32, reason="numbers of x86-64 Linux"
)


def native_works() -> bool:
    try:
        choose("native")
    except UsageError:
        return False
    return True


def record(tmp_path, before: str):
    done = run_python(
        FORBID + before + "\nfrom flamespan import profiler\n"
        "with profiler.Profiler(sys.argv[1], 200):\n    sum(range(8_000_000))\n",
        str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    return read_one(tmp_path), done.stderr


@only_linux
@pytest.mark.skipif(not native_works(), reason="no native engine here")
def test_python_engine_takes_over_where_memory_reads_are_forbidden(tmp_path):
    recording, said = record(tmp_path, f"forbid({CLOSE_RANGE}, {PROCESS_VM_READV})")
    assert recording.header.engine["name"] == "python"
    assert "may not read its own memory" in recording.header.engine["reason"]
    assert said.count("\n") == 1
    assert "recording with the Python engine: this process may not read its own memory" in said
    assert sum(map(len, recording.samples)) > 0


@only_linux
@pytest.mark.skipif(not native_works(), reason="no native engine here")
@pytest.mark.parametrize("number", [CLOSE_RANGE, PROCESS_VM_READV])
def test_one_way_of_reading_is_enough(tmp_path, number):
    recording, said = record(tmp_path, f"forbid({number})")
    assert recording.header.engine["name"] == "native"
    assert said == ""


def test_without_the_c_core_the_python_engine_runs_and_says_so_once(tmp_path):
    recording, said = record(tmp_path, "sys.modules['flamespan.profiler.engine._native'] = None")
    assert recording.header.engine["name"] == "python"
    assert "the C core is not installed" in recording.header.engine["reason"]
    assert said.count("recording with the Python engine") == 1


def test_a_failed_proof_is_a_reason(tmp_path):
    recording, said = (
        record(
            tmp_path,
            "from flamespan.profiler.engine import proof\n"
            "proof._stack = lambda tables, stack: [('elsewhere', '', 0, 0)]",
        )
        if native_works()
        else (None, "")
    )
    if recording is not None:
        assert recording.header.engine["name"] == "python"
        assert "saw another stack than there was" in said


def test_native_is_refused_with_the_reason_where_it_cannot_be():
    done = run_python(
        "import sys; sys.modules['flamespan.profiler.engine._native'] = None\n"
        "from flamespan.profiler.engine import choose\nchoose('native')"
    )
    assert "UsageError: the native engine cannot work here: the C core is not installed" in (
        done.stderr
    )
