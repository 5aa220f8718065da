"""The small sample programs, recorded by `flamespan run`: the tables give the stated answers.

Shares are compared with the binomial error of the samples they rest on: four standard
deviations, and a hundredth for what rounds and switches. The programs' stretches follow each
other in a fixed order, which makes the true error smaller than that.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flamespan import aggregator

if TYPE_CHECKING:
    import pandas as pd

    from flamespan.aggregator.profile import Profile

PROGRAMS = Path(__file__).resolve().parents[2] / "samples" / "programs"
FLAMESPAN = Path(sys.executable).with_name("flamespan")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Runs a program once under the profiler and gives its Profile."""

    @cache
    def record(name: str) -> Profile:
        folder = tmp_path_factory.mktemp(name)
        subprocess.run(
            [FLAMESPAN, "run", "-o", folder, "--rate", "200", PROGRAMS / f"{name}.py"],
            check=True,
            timeout=60,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        return aggregator.load(folder)

    return record


def row(table: pd.DataFrame, function: str) -> pd.Series:
    """The one row of a function of the sample program."""
    ours = table["file"].str.startswith(str(PROGRAMS))
    found = table[ours & (table["function"] == function)]
    assert len(found) == 1, table["function"].tolist()
    return found.iloc[0]


def agrees(part_ns: int, whole_ns: int, truth: float, samples: int) -> bool:
    """Whether a share is the true one, as far as so many samples can tell."""
    return abs(part_ns / whole_ns - truth) <= 4 * math.sqrt(truth * (1 - truth) / samples) + 0.01


def test_known_shares(recorded) -> None:
    table = recorded("known_shares").clock("cpu").functions()
    main = row(table, "main")
    assert main.samples > 150
    for function, own, total in [
        ("takes_half", 0.5, 0.5),
        ("takes_three_tenths", 0.3, 0.3),
        ("takes_a_fifth", 0.2, 0.2),
        ("calls_two_of_them", 0.0, 0.8),
    ]:
        found = row(table, function)
        assert agrees(found.self_ns, main.total_ns, own, main.samples), (function, found, main)
        assert agrees(found.total_ns, main.total_ns, total, main.samples), (function, found, main)


@pytest.mark.parametrize("collapse", [None, "direct", "cycles"])
def test_recursion(recorded, collapse: str | None) -> None:
    profile = recorded("recursion").clock("cpu")
    if collapse is not None:
        profile = profile.collapse_recursion(collapse)
    table = profile.functions()
    main = row(table, "main")
    for function, own, total in [
        ("descend", 0.6, 0.6),
        ("odd", 0.2, 0.4),
        ("even", 0.2, 0.4),
    ]:
        found = row(table, function)
        if collapse != "cycles":  # where the leaf goes when cycles fold is not stated
            assert agrees(found.self_ns, main.total_ns, own, main.samples), (function, found, main)
        # Mutual recursion starts with 1 ms in which odd has not been called yet: 1 of 40.
        slack = 0.4 / 40 if function == "odd" else 0
        assert agrees(found.total_ns, main.total_ns, total - slack, main.samples), (function, found)
    both = row(table, "odd").self_ns + row(table, "even").self_ns
    assert agrees(both, main.total_ns, 0.4, main.samples)


def test_collapsed_recursion_has_one_call_each(recorded) -> None:
    profile = recorded("recursion")

    def most(view: Profile, function: str) -> int:
        stacks = [[part.split(" ")[0] for part in stack.split(";")] for stack in view.folded()]
        return max(stack.count(function) for stack in stacks)

    assert most(profile, "descend") > 10
    assert most(profile, "even") > 5
    direct = profile.collapse_recursion("direct")
    assert most(direct, "descend") == 1
    assert most(direct, "even") == most(profile, "even")
    cycles = profile.collapse_recursion("cycles")
    assert [most(cycles, name) for name in ("descend", "even", "odd")] == [1, 1, 1]
    assert direct.total_ns == cycles.total_ns == profile.total_ns


def test_spans(recorded) -> None:
    profile = recorded("spans")
    (transaction,) = profile.transactions().itertuples()
    assert (transaction.transaction, transaction.op, transaction.count) == (
        "GET /report",
        "http.server",
        2,
    )
    # What takes its time never takes less; on a machine with other work it may take more.
    assert 1.8e9 <= transaction.total_ns < 4e9
    gaps = profile.gaps().head(2)
    assert gaps["function"].tolist() == ["work_that_no_span_covers"] * 2
    assert gaps["transaction"].tolist() == ["GET /report"] * 2
    assert gaps["duration_ns"].between(400_000_000, 1_000_000_000).all(), gaps
    assert (gaps["function_ns"] > 0.7 * gaps["duration_ns"]).all(), gaps
    ops = profile.op_breakdown().set_index("op")
    for op, truth in [("other", 8), ("serialize", 5), ("db.query", 4), ("template.render", 1)]:
        assert ops.loc[op, "exclusive_ns"] >= truth * 100_000_000, op
        assert ops.loc[op, "share"] == pytest.approx(truth / 18, abs=0.08), op
    waiting = profile.span("db.query").states("idle").functions()
    assert waiting.iloc[0]["function"] == "query"
    assert waiting.iloc[0]["self_ns"] > 0.8 * 0.4e9


def test_threads(recorded) -> None:
    profile = recorded("threads")
    threads = profile.threads().set_index("thread")
    assert threads.loc["heavy", "cpu_ns"] == pytest.approx(0.8e9, rel=0.08)
    assert threads.loc["light", "cpu_ns"] == pytest.approx(0.4e9, rel=0.08)
    for name in ("sleeper", "holder", "waiter"):
        assert threads.loc[name, "cpu_ns"] < 0.03e9, name
    for name, function in [
        ("sleeper", "sleep_all_the_time"),
        ("holder", "hold_the_lock"),
        ("waiter", "wait_for_the_lock"),
    ]:
        waiting = profile.thread(name).states("idle").functions()
        assert waiting.iloc[0]["function"] == function
        assert waiting.iloc[0]["self_share"] > 0.9
        assert waiting["self_ns"].sum() == pytest.approx(1.2e9, rel=0.25), name
    table = profile.clock("cpu").functions().head(2)
    assert table["function"].tolist() == ["burn_heavily", "burn_lightly"]


def test_asyncio_tasks(recorded) -> None:
    profile = recorded("asyncio_tasks").clock("cpu")
    transactions = profile.transactions().set_index("transaction")
    assert transactions["count"].to_dict() == {"heavy": 4, "light": 4}
    for name, own, foreign, cpu_ns in [
        ("heavy", "burn_heavily", "burn_lightly", 1.2e9),
        ("light", "burn_lightly", "burn_heavily", 0.4e9),
    ]:
        table = profile.transaction(name).functions()
        assert foreign not in table["function"].tolist(), name
        assert row(table, own).self_ns == pytest.approx(cpu_ns, rel=0.25), name
