"""The C core's lines are Python's lines, for every instruction of the standard library."""

from __future__ import annotations

import sysconfig
import warnings
from pathlib import Path
from types import CodeType

import pytest

native = pytest.importorskip("flamespan.profiler.engine._native")


def codes(code: CodeType):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def lines_by_unit(code: CodeType) -> list[int]:
    found = [0] * (len(code.co_code) // 2)
    for start, end, line in code.co_lines():
        for unit in range(start // 2, end // 2):
            found[unit] = line or 0
    return found


def test_every_instruction_of_the_standard_library():
    modules = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    assert len(modules) > 100
    checked = 0
    for module in modules:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                top = compile(module.read_bytes(), str(module), "exec", dont_inherit=True)
            except (SyntaxError, OSError):  # some are meant not to compile, some lead nowhere
                continue
        for code in codes(top):
            expected = lines_by_unit(code)
            table, first = code.co_linetable, code.co_firstlineno
            # Every 7th of long functions: the table is walked from its start each time.
            step = 1 if len(expected) < 500 else 7
            for unit in range(0, len(expected), step):
                assert native.line_of(table, first, unit) == expected[unit], (code, unit)
                checked += 1
    assert checked > 200_000


def test_before_the_first_instruction_and_behind_the_last():
    code = lines_by_unit.__code__
    table, first = code.co_linetable, code.co_firstlineno
    assert native.line_of(table, first, -1) == first
    assert native.line_of(table, first, 10**6) == 0
    assert native.line_of(b"", 7, 0) == 0


@pytest.mark.parametrize("table", [b"\xff" * 50, b"\x00" * 50, b"\xf0\xff\xff\xff\xff\xff\xff\xff"])
def test_nonsense_ends(table):
    assert isinstance(native.line_of(table, 1, 1000), int)
