"""The page's modules under node: known answers, and the same numbers as the DataFrames."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from flamespan.aggregator.waiting import COLUMNS as WAIT_COLUMNS
from flamespan.profiler.model import SpanEnd, SpanStart
from flamespan.viewer.pagedata import page_data
from helpers import waits, webapp
from helpers.drawn import EPOCH_NS, Drawing
from helpers.drawn import STATES as DRAWN_STATES

PAGE_TESTS = Path(__file__).parent / "page"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not on PATH")
BOTH = ("self", "total")
STATES = {
    "running": ("unknown", "running", "gil_wait", "gc"),
    "waiting": ("idle", "awaiting", "loop_wait"),
}


def node(*arguments: str) -> str:
    done = subprocess.run(
        [str(NODE), *arguments], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    return done.stdout


@needs_node
@pytest.mark.parametrize("file", sorted(path.name for path in PAGE_TESTS.glob("*.test.mjs")))
def test_modules(file):
    said = node("--test", "--test-reporter=tap", str(PAGE_TESTS / file))
    assert "# fail 0" in said
    assert "# pass 0" not in said


def view(profile, origin_ns, case):
    """The profile that the page's choice stands for."""
    kept = ~np.isin(profile.rows.thread, case["off"])
    profile = dataclasses.replace(profile, rows=profile.rows.pick(kept))
    if case["transaction"] >= 0:
        spans = profile.tables.spans
        profile = profile.transaction(int(spans.id[case["transaction"]]))
    elif case["transaction"] == -1:
        profile = profile.outside_transactions()
    if case["range"]:
        profile = profile.between(*(origin_ns + edge for edge in case["range"]))
    if case["states"] != "all":
        profile = profile.clock(case["clock"]).states(*STATES[case["states"]])
    else:
        profile = profile.clock(case["clock"]).all_states()
    profile = narrowed(profile, **case["cut"])
    if case["frames"] == "application":
        profile = profile.application_frames()
    elif case["frames"] == "system":
        profile = profile.system_frames()
    if case["collapse"] != "none":
        profile = profile.collapse_recursion(case["collapse"])
    return profile


def narrowed(profile, focus, hide):
    names = profile.tables.label
    if focus >= 0:
        profile = profile.focus(names(focus))
    for function in hide:
        profile = profile.hide(names(function))
    return profile


def expected(profile):
    tables = profile.tables

    def label(function):
        return (
            f"{tables.function_name[function]} {tables.function_file[function]}"
            f":{tables.function_line[function]}"
        )

    def paths(tree, value):
        names, found = {0: ()}, {}
        for at in range(1, len(tree)):
            names[at] = (*names[int(tree.parent[at])], label(int(tree.function[at])))
            if tree.total_ns[at]:
                found[" < ".join(names[at])] = value(tree, at)
        return found

    table = profile.functions()
    rows = zip(
        table["function"],
        table["file"],
        table["line"],
        table["self_ns"],
        table["total_ns"],
        strict=True,
    )
    return {
        "functions": {f"{n} {f}:{line}": [own, total] for n, f, line, own, total in rows if total},
        "top_down": paths(
            profile.tree("top-down"), lambda t, i: [int(t.self_ns[i]), int(t.total_ns[i])]
        ),
        "bottom_up": paths(profile.tree("bottom-up"), lambda t, i: int(t.total_ns[i])),
        "sums": [profile.total_ns, profile.excluded_ns, profile.rehomed_ns],
    }


def choices(profile, data, rng, count):
    """Random choices of everything that the page lets one choose."""
    roots = [row for row, parent in enumerate(profile.tables.spans.parent) if parent < 0]
    end = data.head["end_ns"]
    for number in range(count):
        edges = sorted(rng.sample(range(end + 1), 2))
        case = {
            "transaction": rng.choice([-2, -1, *rng.choices(roots or [-2], k=3)]),
            "range": rng.choice([None, edges]),
            "states": rng.choice(["running", "waiting", "all"]),
            "clock": rng.choice(["wall", "cpu", "gil", "wait"]),
            "frames": rng.choice(["all", "application", "system"]),
            "collapse": rng.choice(["none", "direct", "cycles"]),
            "off": rng.choice([[], [], [rng.randrange(len(data.head["threads"]))]]),
            "cut": cut(profile, rng),
        }
        yield {"name": f"{number} {case}", **case}


def cut(profile, rng):
    """A function to focus on and functions to hide, of those that were recorded."""
    tables = profile.tables
    seen = sorted({int(tables.frame_function[key]) for key in tables.tree.key[1:].tolist()})
    focus, *hide = rng.sample(seen, 3)
    return {
        "focus": focus if rng.random() < 0.3 else -1,
        "hide": hide[: rng.choice([0, 0, 0, 1, 2])],
    }


def lines(profile):
    """Self and total time of each line of a file, of the recorded stacks."""
    tables = profile.tables
    found = {}
    for stack, weight in enumerate(profile.stack_weights[0].tolist()):
        seen = set()
        node = stack
        while node and weight:
            function = int(tables.frame_function[tables.tree.key[node]])
            line = int(tables.frame_line[tables.tree.key[node]])
            place = f"{tables.function_file[function]}:{line}"
            own, total = found.get(place, (0, 0))
            first = place not in seen
            seen.add(place)
            found[place] = [own + weight * (node == stack), total + weight * first]
            node = int(tables.tree.parent[node])
    return found


def intervals(profile):
    """How far the 95 % intervals of self and total reach, by function and by path."""

    def told(row):
        if np.isnan(row["self_share_low"]):
            return None
        sides = [(row[f"{n}_share"], row[f"{n}_share_low"], row[f"{n}_share_high"]) for n in BOTH]
        return [float(max(high - share, share - low)) for share, low, high in sides]

    def name(row):
        return f"{row['function']} {row['file']}:{row['line']}"

    functions = profile.functions().to_dict("records")
    tree = profile.tree()
    names = {0: ()}
    for at in range(1, len(tree)):
        tables, function = profile.tables, int(tree.function[at])
        text = f"{tables.function_name[function]} {tables.function_file[function]}"
        names[at] = (*names[int(tree.parent[at])], f"{text}:{tables.function_line[function]}")
    paths = profile.call_paths().to_dict("records")
    return {
        "bottom-up": {name(row): told(row) for row in functions if row["total_ns"]},
        "top-down": {" < ".join(names[row["node"]]): told(row) for row in paths if row["total_ns"]},
    }


def neighbours(profile, rng):
    """Callers and callees of some function with time, by number (-1: nobody, -2: itself)."""
    table = profile.functions(quick=True)
    table = table[(table["total_ns"] > 0) & (table["file"] != "")]
    if not len(table):
        return None
    tables = profile.tables
    numbers = {tables.label(i): i for i in range(len(tables.function_name))}
    row = table.iloc[rng.randrange(len(table))]

    def told(found, nobody):
        rows = found.to_dict("records")
        return sorted(
            [
                numbers.get(f"{r['function']} ({r['file']}:{r['line']})", nobody),
                r["self_ns"],
                r["total_ns"],
            ]
            for r in rows
            if r["total_ns"]
        )

    label = f"{row['function']} ({row['file']}:{row['line']})"
    return {
        "fn": numbers[label],
        "callers": told(profile.callers(label), -1),
        "callees": told(profile.callees(label), -2),
    }


def waits_by_span(profile):
    """The parts of each transaction's and span's time, by row."""
    tables = [profile.waiting(by, instances=True) for by in ("transaction", "span")]
    return {
        int(row["row"]): {name: row[name] for name in WAIT_COLUMNS}
        for table in tables
        for row in table.to_dict("records")
    }


def compare(profile, tmp_path, rng, count):
    data = page_data(profile)
    origin = int(data.head["origin_ns"])
    cases = []
    for case in choices(profile, data, rng, count):
        shown = view(profile, origin, case)
        told = expected(shown) | {"around": neighbours(shown, rng), "intervals": intervals(shown)}
        if not case["cut"]["hide"] and case["cut"]["focus"] < 0:
            told["lines"] = lines(shown)
        if case["transaction"] >= 0 and shown.span_mask[case["transaction"]]:
            told["waiting"] = shown.waiting()[list(WAIT_COLUMNS)].sum().to_dict()
        cases.append({**case, "expected": told})
    assert sum(bool(case["expected"]["functions"]) for case in cases) > count / 5
    file = tmp_path / "cases.json"
    told = {"data": data.encode(), "cases": cases, "waits": waits_by_span(profile)}
    file.write_text(json.dumps(told, default=int))
    assert node(str(PAGE_TESTS / "same.mjs"), str(file)).strip() == str(count)


@needs_node
def test_web_app_gives_the_numbers_of_the_data_frames(tmp_path):
    compare(webapp.build().profile(), tmp_path, random.Random(1), 60)


@needs_node
def test_suspended_tasks_give_the_numbers_of_the_data_frames(tmp_path):
    compare(waits.tasks().profile(), tmp_path, random.Random(2), 60)


@needs_node
@pytest.mark.parametrize("seed", range(3))
def test_random_profiles_give_the_numbers_of_the_data_frames(tmp_path, seed):
    rng = random.Random(seed)
    drawing = Drawing(dict.fromkeys("STU", "system"))
    drawing.thread(0, "MainThread")
    drawing.thread(1, "other")
    drawing.now = rng.randint(0, 10**12)
    drawing.samples.start_ticks = drawing.now
    for span in range(1, 4):
        begin = drawing.now + rng.randint(-20, 900)
        drawing.spans.started.append(SpanStart(span, 0, 100, f"job {span}", "task", "", begin))
        drawing.spans.ended.append(SpanEnd(span, begin + rng.randint(300, 4000), "ok"))
    for _ in range(150):
        stacks = [(t, ";".join(rng.choices("abcSTU", k=rng.randint(1, 7)))) for t in (0, 1)]
        drawing.add_pass(
            rng.choice([1, 10, 10, 10, 97]),
            stacks[: rng.randint(1, 2)],
            span=rng.randint(0, 3),
            state=rng.choice(["running", "running", *DRAWN_STATES]),
            cpu=rng.randint(0, 30),
        )
    profile = drawing.profile()
    assert profile.rows.time_ns.min() > EPOCH_NS
    compare(profile, tmp_path, rng, 60)
