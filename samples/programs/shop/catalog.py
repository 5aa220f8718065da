"""Products and categories. Planted troubles: an N+1 query and a deep recursion."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from shop.database import Database

Children = dict[int | None, list[tuple[int, str]]]
"""Category id (None above the roots) → id and name of the categories right below it."""


@dataclass(frozen=True, slots=True)
class ListedProduct:
    """A product as a list shows it."""

    id: int
    name: str
    price_cents: int
    stars: float


@dataclass(frozen=True, slots=True)
class Branch:
    """A category and all that lies below it."""

    path: str
    products: int
    depth: int


def product(database: Database, product_id: int) -> dict[str, Any] | None:
    """One product with its category and stock, or None."""
    row = database.row(
        "select product.*, category.name as category, stock.pieces from product"
        " join category on category.id = product.category_id"
        " join stock on stock.product_id = product.id where product.id = ?",
        product_id,
    )
    return None if row is None else dict(row)


def products(database: Database, count: int) -> list[dict[str, Any]]:
    """The first ``count`` products with everything that is known of them."""
    return [dict(row) for row in database.rows("select * from product limit ?", count)]


def products_with_a_query_for_each_one(
    database: Database, page: int, page_size: int = 60
) -> list[ListedProduct]:
    """A page of products with their stars. Trouble: N+1, where one join would do."""
    listed = []
    for row in database.rows(
        "select id, name, price_cents from product limit ? offset ?", page_size, page * page_size
    ):
        stars = database.row("select avg(stars) from review where product_id = ?", row["id"])
        average = stars[0] if stars is not None and stars[0] is not None else 0.0
        listed.append(ListedProduct(row["id"], row["name"], row["price_cents"], average))
    return listed


def category_children(database: Database) -> Children:
    """All categories by the category above them."""
    (row,) = database.rows("select json_group_array(json_array(id, parent_id, name)) from category")
    children: Children = {}
    for category, parent, name in json.loads(row[0]):
        children.setdefault(parent, []).append((category, name))
    return children


def products_by_category(database: Database) -> dict[int, int]:
    """Category id → how many products lie right in it."""
    (row,) = database.rows("select json_group_array(category_id) from product")
    return Counter(json.loads(row[0]))


def category_tree_by_deep_recursion(
    children: Children, counts: dict[int, int], category: int, path: str, branches: list[Branch]
) -> Branch:
    """Add ``category`` and all below it to ``branches``. Trouble: one call a level, 120 deep."""
    total = counts.get(category, 0)
    depth = 1
    seen: list[str] = []
    for child, name in children.get(category, []):
        slug = "".join(filter(str.isalnum, name.lower()))
        while slug in seen:
            slug += "-"
        seen.append(slug)
        below = category_tree_by_deep_recursion(children, counts, child, f"{path}/{slug}", branches)
        total += below.products
        depth = max(depth, below.depth + 1)
    branch = Branch(path, total, depth)
    branches.append(branch)
    return branch
