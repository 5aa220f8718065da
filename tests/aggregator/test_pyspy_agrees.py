"""py-spy beside us on the same shop at the same time: the same shares, as our intervals say.

``tests/bench/bench_pyspy.py`` is the whole of it, longer and without slack.
"""

from __future__ import annotations

import subprocess

import pytest

from flamespan.aggregator import load
from helpers.pyspy import answers, program, record, shop

pytestmark = pytest.mark.slow

LEAST = 0.02
SECONDS = 4
SLACK = 0.02
"""py-spy's own sampling error: it saw 400 moments, and a busy machine lets it see fewer."""


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    if program() is None:
        pytest.skip("py-spy is not installed (pip install 'flamespan[test]')")
    folder = tmp_path_factory.mktemp("pyspy")
    seen = {}
    with shop(folder / "profiles", 2 * SECONDS + 3) as pid:
        for option in ("--idle", "--gil"):
            try:
                seen[option] = record(pid, SECONDS, folder / "out.txt", option)
            except subprocess.CalledProcessError as error:
                pytest.skip(f"py-spy cannot record here: {error.stderr[-200:]}")
    return load(folder / "profiles"), seen


@pytest.mark.parametrize(("option", "view"), [("--idle", "all"), ("--gil", "gil")])
def test_both_say_the_same_of_every_function_above_two_percent(watched, option, view):
    profile, seen = watched
    if view == "gil" and profile.info()["processes"][0]["engine"]["name"] != "native":
        pytest.skip("only the native engine knows who holds the GIL")
    found = answers(profile, seen[option], view, LEAST)
    assert seen[option].samples > 50
    assert {a.kind for a in found} == {"self", "total"}
    assert any(a.function == "sort_all_sales_holding_the_gil" for a in found)
    assert len(found) > 20
    outside = [a for a in found if not a.low - SLACK <= a.theirs <= a.high + SLACK]
    # Of a hundred intervals of 95 % five may miss.
    assert len(outside) <= 1 + 0.05 * len(found), outside
    # As far as they can be told: an interval of everything would agree with anything. How wide
    # they are hangs on how many requests the machine served in these seconds.
    assert any(a.high - a.low < 0.3 for a in found)


def test_shares_that_differ_would_be_told(watched):
    profile, seen = watched
    other = answers(profile, seen["--gil"], "all", LEAST)
    assert sum(not a.agrees for a in other) > 10
