"""The shop under load with the profiler inside: each planted trouble tops its table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flamespan import aggregator

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

pytest.importorskip("flask", reason="the shop needs flask: pip install 'flamespan[shop]'")

SHOP = Path(__file__).resolve().parents[2] / "samples" / "programs" / "shop"
TROUBLES = {
    "GET /products": "products_with_a_query_for_each_one",
    "GET /api/products": "escape_character_by_character",
    "GET /categories": "category_tree_by_deep_recursion",
    "GET /cart/<int:cart>": "price_after_discounts",
    "GET /bestsellers": "sort_all_sales_holding_the_gil",
    "GET /recommendations/<int:product_id>": "score_recommendations_without_a_span",
}
"""Route → the function that uses its time."""


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """Five times the load driver's deck: the same mix on a fast machine and on a busy one."""
    folder = tmp_path_factory.mktemp("profiles")
    done = subprocess.run(
        [
            sys.executable,
            SHOP,
            "--profile",
            folder,
            "--requests",
            "135",
            "--seconds",
            "90",
            "--json",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["unexpected"] == []
    profile = aggregator.load(folder)
    count = profile.transactions().set_index("op")["count"]
    assert count["http.server"].sum() == result["requests"]
    return profile


def test_every_route_is_a_transaction(profile: Profile) -> None:
    table = profile.transactions()
    names = set(table["transaction"])
    assert names >= {*TROUBLES, "POST /api/checkout", "confirm order", "refresh search index"}
    assert not [name for name in names if "(no route)" in name]
    each = profile.transactions(instances=True)
    lost = each[each["status"] == "not_found"]
    assert set(lost["transaction"]) == {"GET /product/<int:product_id>"}
    assert set(each["status"]) == {"ok", "not_found"}


def test_troubles_lead_the_functions(profile: Profile) -> None:
    # By CPU time: how long a function waits for the GIL is the other threads' doing.
    busy = profile.clock("cpu").application_frames().functions()
    troubles = set(TROUBLES.values()) - {"products_with_a_query_for_each_one"}
    assert set(busy.head(8)["function"]) >= troubles, busy.head(8)
    shares = busy.set_index("function")["total_share"]
    assert (shares[list(troubles)] > 0.02).all(), busy.head(20)
    table = profile.application_frames().functions().set_index("function")
    assert table.loc["products_with_a_query_for_each_one", "total_share"] > 0.02, table.head(20)


@pytest.mark.parametrize("route", TROUBLES)
def test_each_route_names_its_trouble(profile: Profile, route: str) -> None:
    # By CPU time, but for the queries, whose time is mostly the waiting.
    clock = "wall" if route == "GET /products" else "cpu"
    view = profile.clock(clock).transaction(route).application_frames()
    table = view.functions().set_index("function")
    assert table.loc[TROUBLES[route], "total_share"] > 0.4, table.head(10)
    if route == "GET /products":  # the queries' own time is in the function that makes queries
        assert table.index[0] == "Database.rows"
    else:
        assert table.index[0] in (TROUBLES[route], "price_after_rules"), table.head(10)


def test_queries_in_a_loop_show_in_the_spans(profile: Profile) -> None:
    view = profile.transaction("GET /products")
    spans = view.spans()
    query = spans[spans["description"].str.contains("from review where product_id")].iloc[0]
    assert query["count"] == 60 * view.transactions()["count"].sum()


def test_deep_recursion_collapses(profile: Profile) -> None:
    view = profile.transaction("GET /categories")

    def depth(view: Profile) -> int:
        return max(stack.count("category_tree_by_deep_recursion") for stack in view.folded())

    assert depth(view) > 60
    assert depth(view.collapse_recursion()) == 1
    cart = profile.transaction("GET /cart/*").collapse_recursion("cycles")
    assert max(stack.count("price_after_rules") for stack in cart.folded()) == 1


def test_the_lock_leads_the_waiting(profile: Profile) -> None:
    waiting = profile.in_transactions().states("idle").application_frames().functions()
    assert waiting.iloc[0]["function"] == "reserve_under_one_big_lock", waiting.head()
    assert waiting.iloc[0]["self_ns"] > 1.5 * waiting.iloc[1]["self_ns"], waiting.head()


def test_the_stretch_without_a_span_leads_the_gaps(profile: Profile) -> None:
    gaps = profile.gaps()
    by_function = gaps.groupby("function")["duration_ns"].sum().sort_values(ascending=False)
    assert by_function.index[0] == "score_recommendations_without_a_span", by_function
    of_it = gaps[gaps["function"] == "score_recommendations_without_a_span"]
    assert set(of_it["transaction"]) == {"GET /recommendations/<int:product_id>"}
