"""The recordings that lie in the repository can be read and hold what their README says."""

from __future__ import annotations

from pathlib import Path

import pytest

from flamespan import aggregator

RECORDINGS = Path(__file__).resolve().parents[2] / "samples" / "recordings"
FILES = sorted(RECORDINGS.glob("*.fspan"))


def test_there_are_recordings() -> None:
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_loads_whole(path: Path) -> None:
    assert path.stat().st_size < 300_000
    profile = aggregator.load(path)
    (process,) = profile.processes
    assert not process.loss
    assert process.end is not None
    assert process.end.reason in ("stop", "exit")
    assert profile.functions()["self_ns"].sum() == profile.total_ns > 0
    assert path.name in (RECORDINGS / "README.md").read_text("utf-8")


def test_the_shops_troubles_lead() -> None:
    profile = aggregator.load(RECORDINGS / "shop.fspan")
    leading = profile.application_frames().functions().head(7)["function"]
    assert set(leading) == {
        "score_recommendations_without_a_span",
        "sort_all_sales_holding_the_gil",
        "Database.rows",
        "escape_character_by_character",
        "category_tree_by_deep_recursion",
        "price_after_discounts",
        "price_after_rules",
    }
    waiting = profile.in_transactions().states("idle").application_frames().functions()
    assert waiting.iloc[0]["function"] == "reserve_under_one_big_lock"
    assert set(profile.gaps()["function"]) == {"score_recommendations_without_a_span"}


def test_of_two_queries_the_longer_one_is_waited_for_three_quarters_of_the_time() -> None:
    table = aggregator.load(RECORDINGS / "waiting.fspan").waiting("span").set_index("description")
    prices, stock = (int(table["awaiting_ns"][name]) for name in ("prices", "stock"))
    assert 0.6 < stock / (stock + prices) < 0.9
    hogs = aggregator.load(RECORDINGS / "waiting.fspan").gil_hogs()
    assert hogs["function"].iloc[0] == "sort_everything"
