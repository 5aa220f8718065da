"""The sample shop serves what it should, and the profile of it shows the planted troubles."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("flask", reason="the shop needs flask: pip install 'flamespan[shop]'")

PROGRAMS = Path(__file__).resolve().parents[2] / "samples" / "programs"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The application over a filled database, its worker running."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PROGRAMS))
        from shop import seed
        from shop.app import create_app

        path = str(tmp_path_factory.mktemp("shop") / "shop.sqlite")
        seed.fill(path, seed=1)
        app = create_app(path, seed.sales(1)[:1000])
        with app.extensions["shop"].worker:
            yield app
        for name in [name for name in sys.modules if name.split(".")[0] == "shop"]:
            del sys.modules[name]


@pytest.mark.parametrize(
    ("path", "status", "holds"),
    [
        ("/", 200, "A small shop"),
        ("/search?q=maple", 200, "maple"),
        ("/product/7", 200, "pieces"),
        ("/product/0", 404, "Not Found"),
        ("/products?page=1", 200, "page 2"),
        ("/categories", 200, "10920 categories"),
        ("/cart/5", 200, "with the best discounts"),
        ("/bestsellers", 200, "Bestsellers"),
        ("/recommendations/7", 200, "Like"),
        ("/coupon/SPRING", 200, "5 % off"),
        ("/coupon/NONE", 500, "Internal Server Error"),
        ("/api/product/7", 200, '"description"'),
        ("/nowhere", 404, "Not Found"),
    ],
)
def test_routes(app: Any, path: str, status: int, holds: str) -> None:
    answer = app.test_client().get(path)
    assert answer.status_code == status
    assert holds in answer.get_data(as_text=True)


def test_the_serializer_is_slow_but_right(app: Any) -> None:
    import json

    answer = app.test_client().get("/api/products")
    rows = json.loads(answer.get_data(as_text=True))
    assert len(rows) == 250
    assert rows[0]["description"].endswith('"as new" \\ 1/2')


def test_discounts_never_raise_a_price(app: Any) -> None:
    from shop.pricing import Rule, price_after_rules

    assert price_after_rules(1000, [Rule(2000, 50)]) == 1000
    assert price_after_rules(1000, [Rule(500, 50), Rule(501, 10)]) == 500
    assert price_after_rules(1000, [Rule(501, 10), Rule(500, 50)]) == 450


@pytest.mark.parametrize(
    ("body", "status"),
    [({"product": 3, "pieces": 2}, 200), ({"product": 0, "pieces": 1}, 404), ({"x": 1}, 400)],
)
def test_checkout(app: Any, body: dict[str, int], status: int) -> None:
    assert app.test_client().post("/api/checkout", json=body).status_code == status


def test_a_purchase_is_confirmed_in_the_background(app: Any) -> None:
    import time

    from shop.database import Database

    purchase = app.test_client().post("/api/checkout", json={"product": 3, "pieces": 1}).json
    with Database(app.extensions["shop"].path) as database:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            row = database.row("select status from purchase where id = ?", purchase["purchase"])
            if row is not None and row["status"] == "confirmed":
                return
            time.sleep(0.01)
    pytest.fail("the worker did not confirm the purchase")
