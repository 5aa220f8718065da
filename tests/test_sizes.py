"""No function of the readers is over 40 lines: one that grows beyond that holds two ideas."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 40
SOURCES = sorted(
    path for folder in ("aggregator", "viewer") for path in (ROOT / folder).rglob("*.py")
)


def lengths(source: str) -> dict[str, int]:
    """Lines of each function, its decorators, signature and docstring counted."""
    return {
        f"{node.name}:{node.lineno}": (node.end_lineno or 0)
        - min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        + 1
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_function_is_over_40_lines(path):
    found = lengths(path.read_text("utf-8"))
    assert {name: lines for name, lines in found.items() if lines > LONGEST} == {}


def test_a_long_function_would_be_found():
    body = "    x = 1\n" * LONGEST
    assert lengths(f"@cache\ndef f():\n{body}") == {"f:2": LONGEST + 2}
