"""Fills the shop: the same categories, products, reviews and sales for the same seed."""

from __future__ import annotations

import random
from importlib.resources import files

from shop.database import Database

PRODUCTS = 1_200
REVIEWS = 18_000
SALES = 280_000
SPINE = 120
"""How deep the category tree is."""
LEAVES = 90
"""How many more categories hang below each one of the spine."""

Sale = tuple[int, int, float]
"""Product id, day, amount."""

_WORDS = (
    *("amber", "birch", "cedar", "drift", "ember", "fjord", "grove", "haven", "ivory", "jade"),
    *("kelp", "linen", "maple", "north", "ochre", "pearl", "quartz", "ridge", "slate", "tidal"),
    *("umber", "velvet", "willow", "yarrow", "zephyr"),
)


def fill(path: str, seed: int) -> None:
    """Create the tables in the new file ``path`` and fill them."""
    dice = random.Random(seed)
    with Database(path) as database:
        database.script(files(__package__).joinpath("schema.sql").read_text("utf-8"))
        categories = _categories(dice)
        database.write_many("insert into category values (?, ?, ?)", categories)
        database.write_many(
            "insert into product values (?, ?, ?, ?, ?)",
            [
                (
                    product,
                    dice.randint(1, len(categories)),
                    " ".join(dice.choices(_WORDS, k=2)),
                    " ".join(dice.choices(_WORDS, k=240)) + ' "as new" \\ 1/2',
                    dice.randint(99, 99_999),
                )
                for product in range(1, PRODUCTS + 1)
            ],
        )
        database.write_many(
            "insert into review values (null, ?, ?)",
            [(dice.randint(1, PRODUCTS), dice.randint(1, 5)) for _ in range(REVIEWS)],
        )
        database.write_many(
            "insert into stock values (?, ?)",
            [(product, 1_000_000) for product in range(1, PRODUCTS + 1)],
        )


def sales(seed: int) -> list[Sale]:
    """What was sold in the past, in no order."""
    dice = random.Random(seed)
    products = dice.choices(range(1, PRODUCTS + 1), k=SALES)
    days = dice.choices(range(365), k=SALES)
    return [
        (product, day, dice.random() * 100) for product, day in zip(products, days, strict=True)
    ]


def _categories(dice: random.Random) -> list[tuple[int, int | None, str]]:
    """Rows of a tree that is SPINE deep and has LEAVES at every level of the spine."""
    rows: list[tuple[int, int | None, str]] = []
    parent: int | None = None
    for _ in range(SPINE):
        rows.append((len(rows) + 1, parent, dice.choice(_WORDS)))
        parent = len(rows)
        for _ in range(LEAVES):
            rows.append((len(rows) + 1, parent, dice.choice(_WORDS)))
    return rows
