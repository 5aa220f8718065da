"""The magics in a real kernel, run by nbclient; what a notebook shows of a profile."""

from __future__ import annotations

import re

import pytest

from flamespan.aggregator import load
from flamespan.profiler.errors import UsageError
from flamespan.viewer import notebook
from helpers import doors, webapp


def cells(page):
    return re.findall(
        r"^```python\n(.*?)^```$", (doors.PAGES / page).read_text("utf-8"), re.M | re.S
    )


def test_the_page_of_the_docs_in_a_kernel():
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    sources = [*cells("jupyter.md"), "work", "%flamespan sum(range(2_000_000))", "len(squares)"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in sources])
    nbclient.NotebookClient(book, timeout=120, kernel_name="python3").execute()
    shown = [
        [output.data.get("text/html", output.data["text/plain"]) for output in cell.outputs]
        for cell in book.cells
    ]
    assert shown[0] == []
    assert shown[1][0].startswith("<iframe srcdoc=")
    assert "flamespan-data" in shown[1][0]
    assert "self_ns" in shown[2][0]
    assert "of wall time" in shown[3][0]
    assert "1 transactions" in shown[3][0]
    assert shown[4][-1].startswith("<iframe srcdoc=")
    assert shown[5] == ["3000000"]


def test_names_are_shown_and_not_run(tmp_path):
    profile = load(webapp.write(tmp_path / "a.fspan"))
    tables = profile.tables
    tables.function_name[:] = [
        f"<img src=x onerror=alert({n})>" for n in range(len(tables.function_name))
    ]
    shown = profile._repr_html_()
    assert "&lt;img src=x onerror=alert(" in shown
    assert "<img" not in shown


def test_what_was_recorded_is_that_call():
    profile = notebook.record(lambda: sum(range(3_000_000)), name="summing")
    assert profile.transactions()["transaction"].tolist() == ["summing"]
    with pytest.raises(ZeroDivisionError):
        notebook.record(lambda: 1 / 0)


@pytest.mark.parametrize(
    ("line", "options", "rest"),
    [
        ("f(x) --rate 3", (1000.0, ""), "f(x) --rate 3"),
        ("--rate 100 --name p f('a b')", (100.0, "p"), "f('a b')"),
        ("--rate=100 f()", (100.0, ""), "f()"),
        ("--name p", (1000.0, "p"), ""),
    ],
)
def test_options_stand_before_the_statement(line, options, rest):
    found, statement = notebook._options(line)
    assert (found.rate, found.name) == options
    assert statement == rest


def test_mistakes_are_one_line_of_the_notebook():
    module = pytest.importorskip("IPython.core.interactiveshell")
    config = pytest.importorskip("traitlets.config").Config()
    config.HistoryManager.enabled = False  # no thread and no file of its own
    shell = module.InteractiveShell(config=config)
    notebook.load_ipython_extension(shell)
    for line, said in (("--rate 0 1", "a rate of 0.0 Hz"), ("--name 1st 1", "--name 1st")):
        failed = shell.run_cell(f"%flamespan {line}").error_in_exec
        assert type(failed).__module__ == "IPython.core.error"
        assert said in str(failed)


def test_an_unknown_option_is_said():
    with pytest.raises(UsageError, match="--speed"):
        notebook._options("--speed 3 f()")
