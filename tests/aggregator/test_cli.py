"""report, tree, export, info through the real command line: output, filters, one-line errors."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flamespan.aggregator import load, options
from flamespan.profiler.__main__ import main
from flamespan.profiler.errors import UsageError
from helpers import golden, speedscope_rules, waits
from helpers.drawn import Drawing
from helpers.scenes import MS, shop


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return str(shop().write(tmp_path_factory.mktemp("profiles") / "shop.fspan"))


@pytest.fixture
def run(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")

    def runs(*arguments):
        code = main(list(arguments))
        captured = capsys.readouterr()
        said = [line for line in captured.err.splitlines() if "leaves out" not in line]
        assert (code, said) == (0, [])
        return captured.out

    return runs


@pytest.fixture
def refused(capsys):
    """Runs a command that must fail; gives its one line without the program's name."""

    def runs(*arguments):
        assert main(list(arguments)) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        (line,) = captured.err.splitlines()
        return line.removeprefix("flamespan: ")

    return runs


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("by", "frame"),
    [
        ("function", lambda p: p.functions()),
        ("line", lambda p: p.lines()),
        ("module", lambda p: p.modules()),
        ("file", lambda p: p.files()),
        ("path", lambda p: p.call_paths()),
        ("per-transaction", lambda p: p.functions_per_transaction()),
        ("thread", lambda p: p.threads()),
        ("process", lambda p: p.process_table()),
        ("measurement", lambda p: p.measurements()),
        ("sample", lambda p: p.samples()),
        ("transaction", lambda p: p.transactions()),
        ("span", lambda p: p.spans()),
        ("gap", lambda p: p.gaps()),
        ("op", lambda p: p.op_breakdown()),
    ],
)
def test_every_table_in_every_format(run, recording, by, frame):
    table = frame(load(recording))
    assert len(table)
    assert run("report", recording, "--by", by, "--format", "csv") == table.to_csv(
        index=False, lineterminator="\n"
    )
    data = json.loads(run("report", recording, "--by", by, "--format", "json"))
    assert len(data) == len(table)
    assert list(data[0]) == list(table.columns)
    asked = ("report", recording, "--by", by, "--format", "markdown", "--limit", "0")
    marked = run(*asked).splitlines()
    assert len(marked) == len(table) + 2
    assert len({line.replace("\\|", "").count("|") for line in marked}) == 1
    lines = run("report", recording, "--by", by, "--limit", "0").splitlines()
    unsure = any(name.endswith("_low") for name in table)  # two transactions: too few to tell
    assert len(lines) == len(table) + 4 + unsure
    assert ("too few to tell" in lines[-1]) == unsure


@pytest.mark.parametrize(
    ("by", "scene", "frame"),
    [
        ("waiting", waits.tasks, lambda p: p.waiting()),
        ("waiting-span", waits.tasks, lambda p: p.waiting("span")),
        ("waiting-function", waits.tasks, lambda p: p.waiting("function")),
        ("waiting-thread", waits.tasks, lambda p: p.waiting("thread")),
        ("gil-holders", waits.gil, lambda p: p.gil_holders()),
        ("gil-holders-transaction", waits.gil, lambda p: p.gil_holders("transaction")),
        ("gil-holders-span", waits.gil, lambda p: p.gil_holders("span")),
        ("gil-holders-thread", waits.gil, lambda p: p.gil_holders("thread")),
        ("gil-hogs", waits.gil, lambda p: p.gil_hogs()),
        ("gil-hogs-thread", waits.gil, lambda p: p.gil_hogs("thread")),
        ("gil-hogs-transaction", waits.gil, lambda p: p.gil_hogs("transaction")),
    ],
)
def test_waiting_in_every_format(run, tmp_path, by, scene, frame):
    path = str(scene().write(tmp_path / "waits.fspan"))
    test_every_table_in_every_format(run, path, by, frame)


def test_who_waits_and_for_whom(run, tmp_path):
    path = str(waits.gil().write(tmp_path / "waits.fspan"))
    text = run("report", path, "--by", "gil-holders", "--transaction", "GET /victim")
    assert "who held it" in text
    assert "<no holder seen>" in text
    each = run("report", path, "--by", "gil-holders-transaction", "--instances")
    assert each.splitlines()[3].split()[:2] == ["#", "transaction"]
    path = str(waits.tasks().write(tmp_path / "tasks.fspan"))
    text = run("report", path, "--by", "waiting", "--instances")
    assert "waits for loop" in text
    assert "waits for GIL" not in text  # nobody did
    assert "160 ms in other states left out, of it 120 ms of suspended tasks" in text
    text = run("report", path, "--states", "awaiting")
    assert "100 ms of wall time summed over suspended tasks (task-seconds)" in text
    assert "No waiting for the GIL was seen" in run("report", path, "--by", "gil-hogs")


@pytest.mark.parametrize("by", ["callers", "callees"])
def test_around_one_function(run, recording, by):
    asked = ("report", recording, "--by", by, "--function", "cart", "--format", "csv")
    found = {row["function"]: int(row["total_ns"]) // MS for row in rows(run(*asked))}
    around = {"<itself>": 30, "load_items": 50, "render": 20}
    assert found == ({"run": 100} if by == "callers" else around)
    assert "too few to tell" in run(*asked[:-2])


@pytest.mark.parametrize("by", ["transaction", "span", "measurement"])
def test_each_instance(run, recording, by):
    asked = ("report", recording, "--by", by, "--instances")
    first = rows(run(*asked, "--format", "csv"))[0]
    assert first["id"] == {"transaction": "1", "span": "2", "measurement": "1"}[by]
    assert "GET /cart" in run(*asked)


def functions(text):
    return {row["function"]: int(row["self_ns"]) // MS for row in rows(text)}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--transaction", "GET /cart"], {"execute": 50, "cart": 30, "render": 20}),
        (["--transaction", "GET /c*", "--span", "db.query"], {"execute": 50}),
        (["--transaction", "#3"], {"sort": 90, "walk": 90}),
        (["--thread", "worker-1"], {"sort": 80}),
        (["--states", "idle"], {"accept": 120}),
        (["--state", "idle,running", "--between", "..110ms"], {"accept": 100, "cart": 10}),
        (["--all-states", "--outside-transactions"], {"accept": 120, "sort": 80}),
        (["--between", "0.2s..250ms"], {"walk": 50}),
        (["--between", "390ms..", "--all-states"], {"accept": 10}),
        (
            ["--in-transactions", "--app"],
            {"slow": 90, "walk": 90, "load_items": 50, "cart": 30, "render": 20},
        ),
        (["--thread", "worker-1", "--system"], {"sort": 80}),
        (
            ["--clock", "cpu", "--transaction", "GET /cart"],
            {"execute": 30, "cart": 18, "render": 12},
        ),
        (["--process", "7", "--thread", "worker*", "--recursion", "cycles"], {"sort": 80}),
        (["--tag", "user=42"], {"execute": 50, "cart": 30, "render": 20}),
        (["--tag", "user"], {"execute": 50, "cart": 30, "render": 20}),
        (["--focus", "load_items"], {"execute": 50}),
        (["--focus", "cart", "--hide", "execute"], {"load_items": 50, "cart": 30, "render": 20}),
        (
            ["--hide", "sort", "--hide", "^code.walk$"],
            {"slow": 180, "work": 80, "execute": 50, "cart": 30, "render": 20},
        ),
        (["--containing", "slow"], {"sort": 90, "walk": 90}),
    ],
)
def test_filters_and_views(run, recording, filters, expected):
    text = run("report", recording, "--format", "csv", *filters)
    assert {name: own for name, own in functions(text).items() if own} == expected


def test_match_sort_and_limit(run, recording):
    def names(*more):
        return list(functions(run("report", recording, "--format", "csv", *more)))

    assert names("--match", "^(so|wa)") == ["sort", "walk"]
    assert names("--sort", "total", "--limit", "2") == ["run", "main"]
    assert names("--sort", "function", "--limit", "3") == ["cart", "execute", "load_items"]
    assert len(names("--limit", "0")) == 10
    cut = run("report", recording, "--limit", "2").splitlines()
    assert cut[-1] == "and 8 rows more (--limit 0)"


def test_the_report_looks_as_agreed(run, recording):
    golden.check("report.txt", run("report", recording))
    golden.check("report-transaction.txt", run("report", recording, "--by", "transaction"))


def test_trees_look_as_agreed(run, recording):
    golden.check("tree.txt", run("tree", recording))
    golden.check("tree-bottom-up.txt", run("tree", recording, "--bottom-up", "--min-share", "9%"))


def test_tree_depth(run, recording):
    shallow = run("tree", recording, "--depth", "2").splitlines()[4:-1]
    assert [line.split()[-2] for line in shallow] == ["main", "run", "run", "work"]


def test_info_tells_what_is_in_it_and_what_is_wrong(run, tmp_path):
    path = shop().write(tmp_path / "cut.fspan")
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    said = run("info", str(path))
    assert "40, 0 late, 0 missed" in said
    assert "! no clean end" in said
    data = json.loads(run("info", str(path), "--format", "json"))
    assert data["samples"] == 48
    assert data["processes"][0]["clean_end"] is False


@pytest.mark.parametrize("name", ["collapsed", "speedscope", "json", "csv", "svg", "html"])
def test_export_writes_a_file_and_says_where(run, recording, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    said = run("export", recording, "-f", name)
    (path,) = os.listdir(tmp_path)
    assert path.startswith("shop.")
    assert said == f"wrote {path} ({name}, {os.path.getsize(path):,} bytes)\n"


def test_export_takes_the_format_from_the_name_and_filters(run, recording, tmp_path):
    path = tmp_path / "slow.speedscope.json"
    run("export", recording, "-o", str(path), "--transaction", "GET /slow")
    data = speedscope_rules.check(path.read_text())
    assert sum(speedscope_rules.folded(data).values()) == 180 * MS
    run("export", recording, "-o", str(tmp_path), "-f", "csv")
    assert (tmp_path / "shop.csv").exists()


def test_export_to_the_standard_output(recording):
    command = [sys.executable, "-m", "flamespan.profiler", "export", recording]
    done = subprocess.run([*command, "-f", "collapsed", "-o", "-"], capture_output=True, check=True)
    (said,) = done.stderr.splitlines()
    assert b"leaves out" in said
    total = sum(int(line.rpartition(b" ")[2]) for line in done.stdout.splitlines())
    assert total == 360 * MS


def test_export_warns_of_what_it_cannot_do_well(recording, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("flamespan.aggregator.exporting.speedscope.MANY_SAMPLES", 2)
    assert main(["export", recording, "-f", "speedscope", "-o", str(tmp_path / "x.json")]) == 0
    assert "flamespan: a thread has 5 samples" in capsys.readouterr().err


def test_foreign_profiles_are_read_with_their_unit(run, tmp_path):
    path = tmp_path / "raw.txt"
    path.write_text("<module> (a.py:9);f (a.py:3) 5\n")
    assert functions(run("report", str(path), "--unit", "10ms", "--format", "csv"))["f"] == 50
    assert "collapsed" in run("info", str(path))


def test_names_that_no_terminal_can_show(tmp_path):
    d = Drawing()
    d.add_pass(10, [(0, "<sur\udc80rogate> [red]not markup[/]\x1b[2J;<b>")])
    path = str(d.write(tmp_path / "odd.fspan"))
    for command in (
        ["report"],
        ["tree"],
        ["report", "--format", "json"],
        ["report", "--format", "csv"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "flamespan.profiler", command[0], path, *command[1:]],
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "200"},
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        if "csv" not in command:
            assert b"\x1b" not in done.stdout
            assert b"[red]not markup[/]" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report", "{folder}/none"], "no such file or folder"),
        (["report", "{folder}"], "no sample file (.fspan) in this folder"),
        (["report", "{foreign}"], "neither a flamespan sample file nor"),
        (["report", "{broken}"], "at 2: the line does not end with a space and a number"),
        (
            ["report", "{shop}", "--transaction", "GET /crt"],
            "no transaction 'GET /crt'; there is 'GET /cart'",
        ),
        (["report", "{shop}", "--span", "db.qery"], "no span 'db.qery'; there is 'db.query'"),
        (["report", "{shop}", "--thread", "x"], "no thread 'x'; there is"),
        (["report", "{shop}", "--process", "1"], "no process '1'; there is '7'"),
        (["report", "{shop}", "--states", "asleep"], "no state 'asleep'; there are"),
        (["report", "{shop}", "--clock", "moon"], "no clock 'moon'; there are wall, cpu"),
        (["report", "{shop}", "--recursion", "x"], "no way to collapse 'x'; there are direct"),
        (["report", "{shop}", "--between", "5"], "write two times with .. between them"),
        (["report", "{shop}", "--between", "5x..6"], "'5x' is no duration"),
        (["report", "{shop}", "--between", "3s..1s"], "ends (1s) before it starts (3s)"),
        (["report", "{shop}", "--between", "500s.."], "before it starts (500s)"),
        (["report", "{shop}", "--limit", "-1"], "--limit -1: rows to show, 0: all"),
        (["report", "{shop}", "--unit", "x"], "'x' is no duration"),
        (["report", "{shop}", "--by", "colour"], "--by 'colour': there are function, line"),
        (["report", "{shop}", "--format", "xml"], "--format 'xml': there are table, csv"),
        (
            ["report", "{shop}", "--match", "a(b"],
            "'a(b' is no regular expression: missing ), unterminated",
        ),
        (["report", "{shop}", "--sort", "colour"], "--sort 'colour': this table has function"),
        (["report", "{shop}", "--tag", "usr"], "no tag 'usr'; there is 'user'"),
        (["report", "{shop}", "--tag", "user=4"], "no tag user with the value '4'; there is '42'"),
        (["report", "{shop}", "--focus", "crt"], "no function 'crt'; there is 'cart'"),
        (["report", "{shop}", "--hide", "rendr"], "no function 'rendr'; there is 'render'"),
        (["report", "{shop}", "--containing", "x("], "no function 'x('; there is"),
        (["report", "{shop}", "--by", "callers"], "--by callers needs --function NAME"),
        (
            ["report", "{shop}", "--by", "callees", "--function", "wolk"],
            "no function 'wolk'; there is 'work', 'walk'",
        ),
        (["tree", "{shop}", "--min-share", "lots"], "--min-share 'lots': write a share"),
        (["tree", "{shop}", "--depth", "0"], "--depth 0: must be 1 or more"),
        (["export", "{shop}"], "which format? name one with -f: collapsed, speedscope"),
        (["export", "{shop}", "-f", "xml"], "no export format 'xml'; there are collapsed"),
        (
            ["export", "{shop}", "-f", "csv", "-o", "{folder}/no/x.csv"],
            "cannot be written: No such file",
        ),
        (["info", "{shop}", "--format", "xml"], "--format 'xml': there are table, json"),
    ],
)
def test_bad_input_is_one_clear_line(refused, recording, tmp_path, arguments, said):
    foreign, broken = tmp_path / "notes.md", tmp_path / "broken.txt"
    foreign.write_text("# Notes\n\nNothing to see\n")
    broken.write_text("a;b 5\na;b\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    names = {"folder": empty, "foreign": foreign, "broken": broken, "shop": recording}
    assert said in refused(*(argument.format(**names) for argument in arguments))


@pytest.mark.parametrize(
    ("text", "ns"),
    [("1.5s", 1.5e9), ("200ms", 2e8), (" 3 ", 3e9), ("2m", 120e9), ("1h", 3600e9), (".5us", 500)],
)
def test_durations(text, ns):
    assert options.duration_ns(text) == ns


@pytest.mark.parametrize("text", ["", "s", "-1s", "1e3", "1 day", "1..2", "nan"])
def test_what_is_no_duration(text):
    with pytest.raises(UsageError, match="is no duration"):
        options.duration_ns(text)


def test_what_a_recording_lost_is_said_beside_every_answer(recording, tmp_path, capsys):
    data = Path(recording).read_bytes()
    (tmp_path / "cut.fspan").write_bytes(data[:-40])
    (tmp_path / "stub.fspan").write_bytes(data[:15])
    assert main(["report", str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert "cut.fspan: no clean end" in said
    assert "cut.fspan: the last" in said
    assert "left out:" in said
    assert "stub.fspan at 12: no readable header" in said


def test_a_clock_that_the_recording_cannot_tell_is_said(recording, capsys):
    assert main(["report", recording, "--clock", "gil", "--format", "csv"]) == 0
    captured = capsys.readouterr()
    assert all(int(row["total_ns"]) == 0 for row in rows(captured.out))
    assert "no sample here says that its thread held the GIL" in captured.err


def test_rules_say_whose_code_it_is(run, tmp_path):
    path = tmp_path / "raw.txt"
    path.write_text("main (/srv/a.py);f (/x/site-packages/lib/b.py) 5000000\n")
    assert functions(run("report", str(path), "--app", "--format", "csv")) == {"main": 5}
    ruled = run("report", str(path), "--app", "--include", "lib", "--format", "csv")
    assert functions(ruled)["f"] == 5
    ruled = run("report", str(path), "--app", "--exclude", "/srv/*", "--format", "csv")
    assert functions(ruled) == {"<system>": 5}
