"""Differences: matched functions, standardised numbers against an oracle, verdicts, exit codes."""

from __future__ import annotations

import json
import random
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamespan.aggregator import compare, diff, load, statistics, strata
from flamespan.aggregator.difftree import diff_tree, folded
from flamespan.aggregator.units import BLOCK_NS
from flamespan.profiler.__main__ import main
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import Function, SpanEnd, SpanStart
from helpers import oracle
from helpers.drawn import Drawing, draw

FUNCTIONS = ("a", "b", "c")
REQUEST = st.tuples(
    st.sampled_from(["x", "y", "z"]),
    st.lists(st.tuples(st.sampled_from(FUNCTIONS), st.integers(1, 50)), max_size=4),
)
SIDE = st.lists(REQUEST, min_size=1, max_size=14)
several = settings(max_examples=60, deadline=None)


def drawing(requests, outside=0):
    """A recording of (transaction name, [(leaf function, weight)]) requests."""
    made = Drawing()
    for number, (name, samples) in enumerate(requests, 1):
        made.spans.started.append(SpanStart(number, 0, 100, name, "task", "", made.now))
        for function, weight in samples:
            made.add_pass(weight, [(0, f"main;{function}")], span=number)
        made.spans.ended.append(SpanEnd(number, made.now, "ok"))
    if outside or not made.samples:
        made.add_pass(outside or 1, [(0, "main;outside")])
    return made


def recorded(requests, outside=0):
    return drawing(requests, outside).profile()


def noisy(count, *, factor=1.0, seed=1, names=("x", "y")):
    """Requests of about 100 in a, 50 in b, 30 in c; a takes ``factor`` times as long."""
    rng = random.Random(seed)
    return [
        (
            rng.choice(names),
            [
                ("a", max(int(rng.gauss(100, 20) * factor), 1)),
                ("b", max(int(rng.gauss(50, 10)), 1)),
                ("c", max(int(rng.gauss(30, 10)), 1)),
            ],
        )
        for _ in range(count)
    ]


@several
@given(SIDE, SIDE)
def test_standardised_numbers(base, new):
    found = compare(recorded(base), recorded(new))
    table = found.table.set_index("function")
    common = {name for name, _ in base} & {name for name, _ in new}
    for function in FUNCTIONS:
        units = [
            [(n, sum(w for f, w in s if f == function), sum(w for _, w in s)) for n, s in side]
            for side in (base, new)
        ]
        sums = [sum(y for _, y, _ in side) for side in units]
        if function not in table.index:
            assert sums == [0, 0]
            continue
        row = table.loc[function]
        assert [row["base_self_ns"], row["new_self_ns"]] == sums
        assert row["presence"] == ("both" if all(sums) else "new" if sums[1] else "vanished")
        assert row["base_transactions"] == sum(y > 0 for _, y, _ in units[0])
        assert row["new_per_transaction_ns"] == pytest.approx(sums[1] / len(new))
        whole = sum(m for *_, m in units[0])
        assert row["base_share"] == pytest.approx(sums[0] / whole if whole else 0)
        if not common or not all(any(m for n, _, m in s if n in common) for s in units):
            continue
        expected = oracle.standardised(*units, strata.FEWEST)
        for kind, columns in (
            ("time", ("std_base_per_transaction_ns", "std_new_per_transaction_ns")),
            ("share", ("std_base_share", "std_new_share")),
        ):
            assert row[columns[0]] == pytest.approx(expected[kind][0], abs=1e-9)
            assert row[columns[1]] == pytest.approx(expected[kind][1], abs=1e-9)


@pytest.mark.parametrize("counts", [(12, 9), (60, 60), (90, 45)])
def test_errors_are_those_of_the_formulas(counts):
    base, new = noisy(counts[0], seed=3), noisy(counts[1], seed=4, factor=1.1)
    row = diff(recorded(base), recorded(new)).set_index("function").loc["b"]
    units = [
        [(n, dict(s)["b"], sum(w for _, w in s)) for n, s in side] for side in (base, new)
    ]  # fmt: skip
    expected = oracle.standardised(*units, strata.FEWEST)
    for kind, name in (("time", "std_per_transaction_change"), ("share", "std_share_change")):
        end = "_high_ns" if kind == "time" else "_high"
        reach = row[f"{name}{end}"] - row[f"{name}{'_ns' if kind == 'time' else ''}"]
        # The degrees of freedom lie between those of one stratum and those of all.
        widest, narrowest = (statistics.t_quantile(0.975, df) for df in (7, 1e9))
        assert narrowest * 0.999 <= reach / expected[kind][2] <= widest


def test_a_slower_function_is_found_and_nothing_else():
    base, new = recorded(noisy(300, seed=1)), recorded(noisy(300, factor=1.5, seed=2))
    found = compare(base, new)
    assert found.slower["function"].tolist() == ["a"]
    assert found.faster.empty
    assert found.regressed
    assert found.whole["verdict"] == "slower"
    back = compare(new, base)
    assert back.faster["function"].tolist() == ["a"]
    assert not back.regressed
    # b and c have a larger share now, but take no longer.
    shares = diff(new, base, test="share").set_index("function")
    assert shares.loc["b", "verdict"] == "slower"
    low, high = (
        found.slower[f"std_per_transaction_change_{end}_ns"].iloc[0] for end in ("low", "high")
    )
    assert low < 50 < high


def test_equals_are_the_same():
    found = compare(recorded(noisy(200, seed=1)), recorded(noisy(200, seed=2)))
    assert set(found.table["verdict"]) == {"same"}
    assert not found.regressed
    assert 1 < found.would_have_seen < 1.5
    itself = diff(found.base, found.base)
    assert (itself["p_value"] == 1).all()


def test_traffic_that_moves_is_no_change_of_code():
    rng = random.Random(5)

    def side(heavy):
        names = rng.choices(["light", "heavy"], [1 - heavy, heavy], k=400)
        times = {"light": [("b", 50)], "heavy": [("a", 500), ("b", 50)]}
        return [(n, [(f, int(rng.gauss(w, w / 10))) for f, w in times[n]]) for n in names]

    found = compare(recorded(side(0.2)), recorded(side(0.6)))
    row = found.table.set_index("function").loc["a"]
    assert row["per_transaction_change_low_ns"] > 100
    assert abs(row["std_per_transaction_change_ns"]) < 10
    assert set(found.table["verdict"]) == {"same"}


def test_too_few_to_tell():
    found = compare(recorded(noisy(4)), recorded(noisy(300)))
    assert set(found.table["verdict"]) == {"too few to tell"}
    assert found.table["p_value"].isna().all()
    assert found.tested == 0
    assert found.would_have_seen is None
    assert found.table["std_share_change_low"].isna().all()


def test_names_on_one_side_only_are_not_compared():
    found = compare(recorded(noisy(50, names=("x",))), recorded(noisy(50, names=("y",))))
    assert found.strata["weight"].tolist() == [0, 0]
    assert set(found.table["verdict"]) == {"too few to tell"}
    mixed = compare(recorded(noisy(90, names=("x", "y"))), recorded(noisy(90, names=("y", "z"))))
    assert mixed.strata.set_index("transaction")["weight"].to_dict() == {"x": 0, "y": 1, "z": 0}


def test_what_is_outside_transactions_is_said():
    found = compare(recorded(noisy(20), outside=500), recorded(noisy(20)))
    assert found.left_out_ns == (500, 0)
    assert "outside" not in set(found.table["function"])


def blocks(shares):
    """Blocks of ten seconds, a share of each in a, the rest in b."""
    made = Drawing()
    for share in shares:
        made.add_pass(int(BLOCK_NS * share), [(0, "main;a")])
        made.add_pass(BLOCK_NS - int(BLOCK_NS * share), [(0, "main;b")])
    return made.profile()


def test_without_transactions_shares_are_compared_block_by_block():
    before = [0.2, 0.21, 0.19, 0.2, 0.22, 0.18, 0.2, 0.2]
    found = compare(blocks(before), blocks([share + 0.1 for share in before]))
    assert found.unit == "block"
    assert found.units == (8, 8)
    table = found.table.set_index("function")
    assert table["verdict"].to_dict() == {"a": "slower", "b": "faster"}
    assert table["per_transaction_change_ns"].isna().all()
    assert table.loc["a", "share_change_low"] < 0.1 < table.loc["a", "share_change_high"]
    assert found.whole is None


def test_one_side_without_transactions_is_said_to_be_so(tmp_path, capsys):
    """Shares are compared then, and what the units are called is true of both sides."""
    before = drawing(noisy(9)).write(tmp_path / "before.fspan")
    text = tmp_path / "after.txt"
    text.write_text("main;a 30\nmain;b 20\n")
    assert main(["diff", str(before), str(text)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "9 units before and 1 unit after (transactions, else blocks of 10 s;" in said
    assert "Too few to tell: it takes 5 units on each side." in said


def test_total_time():
    table = diff(recorded(noisy(60)), recorded(noisy(60)), measure="total").set_index("function")
    assert table.loc["main", "base_share"] == 1
    assert table.loc["main", "base_total_ns"] == recorded(noisy(60)).total_ns


def placed(functions, stack):
    """A profile of one sample whose functions are (name, file, first line)."""
    made = Drawing()
    made.add_pass(10, [(0, ";".join(stack))])
    made.definitions.functions[:] = [Function(*function) for function in functions]
    return made.profile()


def test_functions_match_by_module_and_name_wherever_they_stand():
    lambdas = [("<lambda>", "/app/code.py", line) for line in (10, 20, 30)]
    base = placed([("f", "/app/code.py", 5), *lambdas], ["f", "<1", "<2", "<3"])
    moved = [("<lambda>", "/app/code.py", line) for line in (11, 20, 33)]
    new = placed([("f", "/app/code.py", 7), *moved], ["f", "<1", "<2", "<3"])
    table = diff(base, new, measure="total")
    assert (table["presence"] == "both").all()
    assert sorted(table["line"]) == [7, 11, 20, 33]
    other = placed([("f", "/app/other.py", 5)], ["f"])
    assert sorted(diff(base, other, measure="total")["presence"]) == ["new", *["vanished"] * 4]


def test_new_and_vanished():
    base = recorded([("x", [("a", 10), ("b", 5)])] * 30)
    new = recorded([("x", [("a", 10), ("c", 5)])] * 30)
    table = diff(base, new).set_index("function")
    assert table["presence"].to_dict() == {"a": "both", "b": "vanished", "c": "new"}
    assert table["verdict"].to_dict() == {"a": "same", "b": "faster", "c": "slower"}


def several_files(requests, *, shift=0):
    """Requests whose functions a, b stand in one file and c in another, ``shift`` lines lower."""
    made = Drawing()
    for number, (name, samples) in enumerate(requests, 1):
        made.spans.started.append(SpanStart(number, 0, 100, name, "task", "", made.now))
        for function, weight in samples:
            line = 11 + ord(function) % 3 + shift
            made.add_pass(weight, [(0, f"main:{1 + shift};{function}:{line}")], span=number)
        made.spans.ended.append(SpanEnd(number, made.now, "ok"))
    made.definitions.functions[:] = [
        Function(f.name, "/app/tail.py" if f.name == "c" else f.file, 1 + shift)
        for f in made.definitions.functions
    ]
    return made


@pytest.mark.parametrize("by", ["function", "module", "file", "line"])
@pytest.mark.parametrize("measure", ["self", "total"])
def test_rows_of_every_kind_hold_what_the_report_holds(by, measure):
    base = several_files(noisy(90, seed=1)).profile()
    new = several_files(noisy(80, seed=2), shift=7).profile()
    found = compare(base, new, by=by, measure=measure)
    named = [name for name in ("function", "module", "file", "line") if name in found.table]
    assert named == {"module": ["module"], "file": ["file"]}.get(
        by, ["function", "module", "file", "line"]
    )
    ask = {"function": "functions", "module": "modules", "file": "files", "line": "lines"}[by]
    for side, profile in (("base", base), ("new", new)):
        reported = getattr(profile.in_transactions(), ask)(quick=True)
        reported = reported[reported[f"{measure}_ns"] > 0]
        known = [name for name in named if name != "line"]
        theirs = sorted(map(tuple, reported[[*known, f"{measure}_ns"]].to_numpy().tolist()))
        ours = found.table[[*known, f"{side}_{measure}_ns"]].to_numpy().tolist()
        assert sorted(map(tuple, ours)) == theirs
    assert set(found.table["presence"]) == {"both"}
    if by == "line":  # as the new side has them: code that moved as a whole is the same code
        assert set(found.table["line"]) >= {11 + ord(f) % 3 + 7 for f in "abc"}
    assert found.whole.iloc[0] == "<transaction>"


@pytest.mark.parametrize(
    ("by", "slower"), [("module", "code"), ("file", "/app/code.py"), ("line", 12)]
)
def test_a_slower_module_file_and_line_are_found(by, slower):
    base = several_files(noisy(300, seed=1)).profile()
    new = several_files(noisy(300, factor=1.5, seed=2)).profile()
    found = compare(base, new, by=by)
    assert found.slower[by].tolist() == [slower]
    assert found.faster.empty
    equal = compare(base, several_files(noisy(300, seed=3)).profile(), by=by)
    assert set(equal.table["verdict"]) == {"same"}
    assert not equal.regressed


def test_the_sum_of_a_module_may_stay_where_its_functions_change():
    swapped = {"a": "b", "b": "a", "c": "c"}
    base = noisy(300, seed=1)
    new = [(name, [(swapped[f], w) for f, w in s]) for name, s in noisy(300, seed=2)]
    sides = several_files(base).profile(), several_files(new).profile()
    assert set(diff(*sides, by="module")["verdict"]) == {"same"}
    by_function = diff(*sides).set_index("function")["verdict"].to_dict()
    assert by_function == {"a": "faster", "b": "slower", "c": "same"}


def test_new_and_vanished_files_and_lines():
    base = several_files([("x", [("a", 10), ("c", 5)])] * 30).profile()
    new = several_files([("x", [("a", 10), ("b", 5)])] * 30).profile()
    table = diff(base, new, by="file").set_index("file")
    assert table["presence"].to_dict() == {"/app/code.py": "both", "/app/tail.py": "vanished"}
    table = diff(base, new, by="line").set_index("function")
    assert table["presence"].to_dict() == {"a": "both", "b": "new", "c": "vanished"}
    assert table.loc["c", "line"] == 11


def test_a_project_in_another_folder_is_the_same_project():
    """Also where a function vanished: its old file did not."""
    base = placed([("f", "/app/code.py", 5), ("gone", "/app/code.py", 9)], ["f", "gone"])
    new = placed([("f", "/lib/code.py", 5)], ["f"])
    for by in ("module", "file"):
        table = diff(base, new, by=by, measure="total")
        assert table["presence"].tolist() == ["both"]
        assert table[by].tolist() == [{"module": "code", "file": "/lib/code.py"}[by]]


def test_lines_of_functions_whose_first_line_is_not_known_match_by_number():
    def side(begin, line):
        made = Drawing()
        made.add_pass(10, [(0, f"f:{line}")])
        made.definitions.functions[:] = [Function("f", "/app/code.py", begin)]
        return made.profile()

    assert diff(side(0, 12), side(10, 12), by="line")["presence"].tolist() == ["both"]
    assert diff(side(5, 7), side(10, 12), by="line")["line"].tolist() == [12]
    assert sorted(diff(side(5, 7), side(10, 13), by="line")["line"]) == [7, 13]


@several
@given(SIDE, SIDE)
def test_the_tree_of_both_keeps_both_sums(base, new):
    found = compare(recorded(base), recorded(new))
    made = diff_tree(found)
    assert made.base_self_ns.sum() == made.base_total_ns[0] == found.base.total_ns
    assert made.new_self_ns.sum() == made.new_total_ns[0] == found.new.total_ns
    sums = np.array([line.rsplit(" ", 2)[1:] for line in folded(found)], int).reshape(-1, 2)
    assert sums.sum(axis=0).tolist() == [found.base.total_ns, found.new.total_ns]
    labels = {line.rsplit(" ", 2)[0] for line in folded(found)}
    assert labels == set(found.base.folded()) | set(found.new.folded())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"measure": "weight"}, "no measure 'weight'; there are self, total"),
        ({"test": "luck"}, "no test 'luck'; there are both, time, share"),
        ({"by": "thread"}, "no comparison by 'thread'; there are function, module, file, line"),
    ],
)
def test_unknown_words(options, said):
    with pytest.raises(UsageError, match=said):
        diff(draw([("a", 1)]), draw([("a", 1)]), **options)


def test_two_clocks_cannot_be_compared():
    with pytest.raises(UsageError, match="different clocks \\(wall and cpu\\)"):
        diff(draw([("a", 1)]), draw([("a", 1)]).clock("cpu"))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diff")
    before = drawing(noisy(300, seed=1)).write(folder / "before.fspan")
    after = drawing(noisy(300, factor=1.5, seed=2)).write(folder / "after.fspan")
    return str(before), str(after)


def test_the_command_says_what_the_table_says(files, capsys):
    expected = diff(*map(load, files))
    assert main(["diff", *files, "--format", "csv"]) == 0
    assert capsys.readouterr().out == expected.to_csv(index=False, lineterminator="\n")
    assert main(["diff", *files, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["verdict"] for row in rows] == expected["verdict"].tolist()
    assert main(["diff", *files]) == 0
    text = capsys.readouterr().out
    assert "before.fspan → after.fspan" in text
    assert "1 slower, 0 faster, of 3 functions compared" in text
    assert main(["diff", *files, "--format", "markdown", "--limit", "1"]) == 0
    assert "| slower |" in capsys.readouterr().out


@pytest.mark.parametrize("by", ["module", "file", "line"])
def test_the_command_compares_by_other_rows(files, tmp_path, capsys, by):
    expected = diff(*map(load, files), by=by)
    assert main(["diff", *files, "--by", by, "--format", "csv"]) == 0
    assert capsys.readouterr().out == expected.to_csv(index=False, lineterminator="\n")
    assert main(["diff", *files, "--by", by, "--format", "json", "--fail-on-regression"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert [row["verdict"] for row in rows] == expected["verdict"].tolist()
    svg = tmp_path / "diff.svg"
    assert main(["diff", *files, "--by", by, "--svg", str(svg)]) == 0
    text = capsys.readouterr().out
    assert f"of {len(expected)} {by}{'s' if len(expected) > 1 else ''} compared" in text
    assert f"sure: its {by} changed" in svg.read_text("utf-8")
    assert (' up sure"' in svg.read_text("utf-8")) == (by == "line")
    assert main(["diff", *files, "--by", by, "--format", "markdown", "--match", "code|a"]) == 0
    heading = by if by != "line" else "function | where"
    assert f"| q | {heading} |" in capsys.readouterr().out
    assert main(["diff", files[0], files[0], "--by", by, "--fail-on-regression"]) == 0


@pytest.mark.parametrize("width", ["50", "80", "160"])
def test_no_number_and_no_name_is_lost_on_a_narrow_terminal(files, capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", width)
    assert main(["diff", *files]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= int(width) for line in lines)
    (row,) = (line.split() for line in lines if line.startswith("slower"))
    assert "a" in row
    assert ("app/code.py:1" in row) == (width != "50")


def test_a_regression_fails_only_where_asked_for(files, capsys):
    before, after = files
    assert main(["diff", before, after]) == 0
    assert main(["diff", before, after, "--fail-on-regression"]) == 1
    assert main(["diff", after, before, "--fail-on-regression"]) == 0
    assert main(["diff", before, before, "--fail-on-regression"]) == 0
    assert "No function changed by more than chance" in capsys.readouterr().out


def test_pictures_and_stacks_of_both(files, tmp_path, capsys):
    svg, text = tmp_path / "diff.svg", tmp_path / "diff.txt"
    assert main(["diff", *files, "--svg", str(svg), "--folded", str(text)]) == 0
    assert f"wrote {svg}" in capsys.readouterr().err
    found = compare(*map(load, files))
    assert text.read_text().splitlines() == folded(found)
    root = ET.parse(svg).getroot()
    boxes = {
        g.get("data-name"): g.get("class").split()
        for g in root.iter("{http://www.w3.org/2000/svg}g")
        if g.get("data-name")
    }
    assert set(boxes) == {"main", "a", "b", "c"}
    assert {"up", "sure"} <= set(boxes["a"])
    assert "down" in boxes["b"]
    assert "sure" not in boxes["b"]
    assert boxes["main"] == ["b", "d0"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--transaction", "w"], "before.fspan: no transaction 'w'; there is 'x', 'y'"),
        (["--measure", "x"], "no measure 'x'"),
        (["--by", "x"], "no comparison by 'x'; there are function, module, file, line"),
        (["--format", "x"], "--format 'x': there are table"),
        (["--svg", "{none}/x.svg"], "cannot be written"),
        (["--sort", "colour"], "--sort 'colour': this table has function"),
    ],
)
def test_bad_input_is_one_clear_line(files, tmp_path, capsys, options, said):
    options = [option.format(none=tmp_path / "none") for option in options]
    assert main(["diff", *files, *options]) == 2
    assert said in capsys.readouterr().err
    assert main(["diff", files[0], str(tmp_path / "none")]) == 2
    assert "no such file or folder" in capsys.readouterr().err
