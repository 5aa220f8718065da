"""Tables and trees for people: what fits, what is said, what is never cut."""

import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from flamespan.viewer import calllines, palette, terminal, words
from helpers.drawn import Drawing, draw
from helpers.scenes import shop

LONG = "<a_function_whose_name_is_much_too_long_for_a_narrow_terminal>"


@pytest.fixture(scope="module")
def profile():
    return shop().profile()


def shown(renderable, width=120, *, colour=False):
    file = io.StringIO()
    Console(
        file=file,
        width=width,
        highlight=False,
        force_terminal=colour,
        color_system="standard" if colour else None,
    ).print(renderable)
    return file.getvalue()


def ask(profile, by="function", left_out=0, instances=False):
    origin = min(process.first_ns for process in profile.processes)
    return terminal.Question(profile, by, instances, origin, left_out)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_cut(width):
    profile = draw([(f"main;{LONG};f", 123_456_789), (f"main;{LONG}", 50)])
    text = shown(terminal.table(ask(profile), profile.functions()), width)
    assert all(len(line) <= width for line in text.splitlines())
    table = text[text.index("self") :]
    assert "123 ms" in table
    assert "100 %" in table
    assert ("samples" in table) == (width >= 100)


def test_a_header_says_what_is_summed_and_what_is_left_out(profile):
    text = shown(terminal.table(ask(profile, left_out=3), profile.functions()))
    assert "360 ms of wall time summed over 2 threads (thread-seconds), 36 samples" in text
    assert "120 ms in other states left out" in text
    assert "and 3 rows more (--limit 0)" in text
    application = profile.application_frames()
    assert "220 ms moved to the nearest caller shown" in words.about(application)


def test_states_nobody_was_in_have_no_column(profile):
    text = shown(terminal.table(ask(profile, "thread"), profile.threads()))
    assert "idle" in text
    assert "waits for GIL" not in text
    assert "process" not in text


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("function", "No samples here: all threads were idle"),
        ("gap", "No gap: spans cover the transactions"),
        ("transaction", "No transactions in this recording"),
        ("op", "No ops in this recording"),
    ],
)
def test_an_empty_table_says_why(by, said):
    idle = draw([("a", 5, "idle")])
    frames = {"function": idle.functions, "gap": idle.gaps, "transaction": idle.transactions}
    rows = frames.get(by, idle.op_breakdown)()
    assert said in shown(terminal.table(ask(idle, by), rows))


def test_nothing_in_a_name_is_taken_as_markup_or_breaks_markdown():
    d = Drawing()
    d.add_pass(10, [(0, "<[bold]a|b<script>\nc>")])
    profile = d.profile()
    assert "<[bold]a|b<script> c>" in shown(terminal.table(ask(profile), profile.functions()))
    marked = terminal.markdown(ask(profile), profile.functions())
    assert "&lt;[bold]a\\|b&lt;script> c>" in marked.splitlines()[2]


def test_colour_only_in_a_terminal(profile):
    table = terminal.table(ask(profile), profile.functions())
    assert "\x1b[" in shown(table, colour=True)
    file = io.StringIO()
    terminal.console(file).print(table)
    assert "\x1b[" not in file.getvalue()


@pytest.mark.parametrize(("asked", "width"), [("50", 50), ("", 160), ("0", 160), ("many", 160)])
def test_the_width_of_a_pipe(monkeypatch, asked, width):
    monkeypatch.setenv("COLUMNS", asked)
    assert terminal.console(io.StringIO()).width == width


def test_bars_are_as_long_as_their_share():
    assert [terminal.bar(share) for share in (0, 0.001, 0.125, 0.5, 1)] == [
        "        ",
        "▏       ",
        "█       ",
        "████    ",
        "████████",
    ]


def tree_lines(profile, min_share=0.0, depth=None, direction="top-down"):
    calls = profile.tree(direction)
    return [
        line.guide + (calls.name(line.node) if line.node > 0 else f"({line.hidden})")
        for line in calllines.call_lines(calls, min_share, depth)
    ]


def test_a_step_to_the_right_means_a_choice():
    profile = draw([("main;run;a;b;c", 50), ("main;run;d", 30), ("main;run;a;e", 10), ("x", 5)])
    assert tree_lines(profile) == [
        "├─ main",
        "│  run",
        "│  ├─ a",
        "│  │  ├─ b",
        "│  │  │  c",
        "│  │  └─ e",
        "│  └─ d",
        "└─ x",
    ]


def test_small_siblings_are_one_line_where_they_matter():
    stacks = [("main;big", 80)] + [(f"main;s{i}", 2) for i in range(10)]
    assert tree_lines(draw(stacks), min_share=0.05) == ["main", "├─ big", "└─ (10)"]
    assert tree_lines(draw([("main;big", 99), ("main;s", 1)]), min_share=0.05) == ["main", "big"]


def test_depth_cuts_without_a_word_about_smaller_ones():
    assert tree_lines(draw([("a;b;c", 1)]), depth=2) == ["a", "b"]


def test_a_very_deep_tree_is_no_trouble():
    profile = draw([(";".join(f"f{i}" for i in range(3000)), 5)])
    assert len(tree_lines(profile)) == 3000


def test_the_tree_says_shares_and_self_times(profile):
    text = shown(terminal.tree(profile, profile.tree(), 0.01, None))
    (line,) = [line for line in text.splitlines() if "cart  app" in line]
    assert line.split()[:7] == ["100", "ms", "27.8", "%", "30.0", "ms", "│"]


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ms"),
        (999, "999 ns"),
        (1500, "1.50 µs"),
        (12_345_678, "12.3 ms"),
        (123_456_789, "123 ms"),
        (1_234_000_000, "1.23 s"),
        (119_000_000_000, "119 s"),
        (125_000_000_000, "2 min 5 s"),
        (7_260_000_000_000, "2 h 1 min"),
        (-1500, "-1.50 µs"),
    ],
)
def test_durations_as_people_read_them(ns, text):
    assert words.duration(ns) == text


def test_shares_counts_and_shortening():
    assert [words.percent(s) for s in (0, 0.1234, 0.9996, 1)] == [
        "0.0 %",
        "12.3 %",
        "100 %",
        "100 %",
    ]
    assert words.counted(1, "sample") == "1 sample"
    assert words.counted(1234567, "sample") == "1\u202f234\u202f567 samples"
    assert [words.shortened("abcdef", width) for width in (6, 4, 2, 1, 0)] == [
        "abcdef",
        "abc…",
        "a…",
        "",
        "",
    ]
    assert words.clean("a\tb\n\x1b[2J\u202fc") == "a b �[2J c"


ASK_THE_PAGE = """
import { functionShades } from "PAGE/palette.js";
import { duration, percent } from "PAGE/format.js";
import { readFileSync } from "node:fs";
const { name, file, durations, shares } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const model = { origin: new Uint8Array(name.length), functions: { name, file } };
const said = [[...functionShades(model)], durations.map(duration), shares.map(percent)];
console.log(JSON.stringify(said));
"""


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_colours_and_words_are_the_pages(tmp_path):
    """The same shades, durations and shares from Python and from the page's own modules."""
    page = Path(terminal.__file__).parent / "page"
    names = ["main", "naïve", "日本", "f🐍", "C.x"]
    question = {
        "name": names,
        "file": [f"/app/{name}.py" for name in names],
        "durations": [0, 999, 1500, 12_345_678, 119e9, 125e9, 7.26e12],
        "shares": [0, 0.1234, 0.99949, 0.9996, 1],
    }
    (tmp_path / "question.json").write_text(json.dumps(question))
    script = tmp_path / "ask.mjs"
    script.write_text(ASK_THE_PAGE.replace("PAGE", page.resolve().as_uri()))
    done = subprocess.run(
        ["node", script, tmp_path / "question.json"], capture_output=True, check=True
    )
    tables = SimpleNamespace(
        function_origin=[0] * len(names), function_name=names, function_file=question["file"]
    )
    assert json.loads(done.stdout) == [
        [palette.shade(tables, place) for place in range(len(names))],
        [words.duration(ns) for ns in question["durations"]],
        [words.percent(share) for share in question["shares"]],
    ]
    style = (page / "style.css").read_text()
    found = re.findall(r"--(?:app-\d|library|stdlib|runtime): (#[0-9a-f]{6})", style)
    assert found == [*palette.LIGHT, *palette.DARK]
