"""Firefox Profiler's format: by its documented rules, and by the Firefox Profiler itself."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import subprocess
import time

import pytest

from flamespan.aggregator import exporting
from helpers import firefox_rules
from helpers.drawn import Drawing, folded
from helpers.scenes import MS, close_span, open_span, shop

VIEWS = {
    "all": lambda p: p,
    "one transaction": lambda p: p.transaction("GET /slow"),
    "application": lambda p: p.application_frames(),
    "recursion": lambda p: p.collapse_recursion("cycles"),
    "every state": lambda p: p.all_states(),
    "cpu": lambda p: p.clock("cpu"),
    "nothing": lambda p: p.states("gc"),
}


def checked(profile) -> dict:
    file = io.StringIO()
    exporting.write(profile, "firefox", file)
    return firefox_rules.check(file.getvalue())


@pytest.fixture(scope="module")
def profile():
    return shop().profile()


@pytest.mark.parametrize("view", VIEWS)
def test_weights_are_whole(profile, view):
    shown = VIEWS[view](profile)
    assert firefox_rules.folded(checked(shown)) == {s: ns for s, ns in folded(shown).items() if ns}


def test_cpu_deltas_times_and_what_is_not_in_view(profile):
    main, worker = checked(profile)["threads"]
    assert sum(main["samples"]["threadCPUDelta"]) == 28 * 6 * MS
    assert main["samples"]["time"] == [0.0, *(10.0 * i for i in range(1, 29))]
    # The worker is first seen at 300 ms, 200 ms after the first request began.
    assert worker["samples"]["stack"][0] is None
    assert worker["samples"]["time"][:2] == [200.0, 210.0]


def test_spans_are_markers(profile):
    (main, worker) = checked(profile)["threads"]
    markers = main["markers"]
    names = [main["stringArray"][name] for name in markers["name"]]
    assert names == ["GET /cart", "db.query", "GET /slow"]
    assert list(zip(markers["startTime"], markers["endTime"], strict=True)) == [
        (0.0, 100.0),
        (30.0, 80.0),
        (100.0, 280.0),
    ]
    assert markers["data"][0]["details"] == "tag user: 42, measurement rows: 3"
    assert markers["data"][1]["description"] == "select * from cart where name = 'a;b <c>'"
    assert [data["type"] for data in markers["data"]] == ["Transaction", "Span", "Transaction"]
    assert worker["markers"]["length"] == 0


def test_origins_are_categories_and_lines_are_running_ones(profile):
    data = checked(profile)
    main = data["threads"][0]
    names = {}
    for place, function in enumerate(main["frameTable"]["func"]):
        name = main["stringArray"][main["funcTable"]["name"][function]]
        category = data["meta"]["categories"][main["frameTable"]["category"][place]]["name"]
        names.setdefault(name, (category, []))[1].append(main["frameTable"]["line"][place])
    assert names["walk"] == ("Application", [3, 4])
    assert names["sort"] == ("Standard library", [1])


def test_a_thread_that_only_has_spans_is_there():
    d = Drawing()
    d.thread(0, "MainThread")
    open_span(d, 1, 0, 0, "GET /", "http")
    d.spans.ended.append(close_span(1, 5))
    data = checked(d.profile())
    assert [thread["markers"]["length"] for thread in data["threads"]] == [1]


CLI = "--yes --package=node@24 --package=@firefox-devtools/profiler-cli@0.10.0"


@pytest.fixture(scope="module")
def profiler_cli(tmp_path_factory):
    """The Firefox Profiler's own code, with the Node it needs, both from the npm registry."""
    npm = shutil.which("npm") or pytest.skip("npm is not installed")
    environment = os.environ | {"PROFILER_CLI_SESSION_DIR": str(tmp_path_factory.mktemp("firefox"))}

    def run(*arguments):
        asked = shlex.join(["profiler-cli", *map(str, arguments)])
        command = [npm, "exec", *CLI.split(), f"--call={asked}"]
        for _ in range(10):
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=180, env=environment
            )
            # It gives its own daemon half a second, which a busy machine does not.
            if "did not become ready" not in done.stderr:
                break
            time.sleep(1)
        else:
            pytest.skip("this machine is too busy for the Firefox Profiler's daemon")
        return done.stdout if not done.returncode else pytest.fail(done.stderr[-800:])

    try:
        run("--version")
    except (pytest.fail.Exception, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm cannot give the Firefox Profiler's command line: {str(error)[-200:]}")
    yield run
    run("stop", "--all")


@pytest.mark.npm
@pytest.mark.slow
def test_the_firefox_profiler_reads_it(profile, profiler_cli, tmp_path):
    path = tmp_path / "shop.firefox.json"
    exporting.export(profile, "firefox", path)
    profiler_cli("load", path)
    tree = json.loads(profiler_cli("thread", "samples-top-down", "--json"))["regularCallTree"]
    assert tree["totalSamples"] == profile.thread("MainThread").total_ns / MS
    found = {}
    _collect(tree, found)
    table = profile.thread("MainThread").functions()
    assert found == {
        name: own / MS for name, own in zip(table["function"], table["self_ns"], strict=True)
    }
    markers = profiler_cli("thread", "markers", "--list")
    assert all(name in markers for name in ("GET /cart", "db.query", "GET /slow", "select * from"))


def _collect(node, found):
    for child in node.get("children", ()):
        found[child["name"]] = found.get(child["name"], 0) + child["selfSamples"]
        _collect(child, found)
