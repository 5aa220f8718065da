"""The HTML pages."""

from __future__ import annotations

from flask import Blueprint, abort, request

from shop import catalog, pricing, recommendations, reports
from shop.app import database, render, shop
from shop.tracing import span

pages = Blueprint("pages", __name__)
COUPONS = {"SPRING": 5, "AUTUMN": 7}


@pages.get("/")
def home() -> str:
    """The front page."""
    newest = database().rows("select id, name from product order by id desc limit 12")
    return render("home.html", products=newest)


@pages.get("/search")
def search() -> str:
    """Products with a word in their name."""
    word = request.args.get("q", "")
    return render("search.html", word=word, found=shop().worker.search(word)[:50])


@pages.get("/product/<int:product_id>")
def product(product_id: int) -> str:
    """One product: how a healthy page looks."""
    found = catalog.product(database(), product_id)
    if found is None:
        abort(404)
    return render("product.html", product=found)


@pages.get("/products")
def products() -> str:
    """A page of the product list."""
    page = request.args.get("page", 0, type=int)
    listed = catalog.products_with_a_query_for_each_one(database(), page)
    return render("products.html", products=listed, page=page)


@pages.get("/categories")
def categories() -> str:
    """All categories with their paths."""
    children = catalog.category_children(database())
    counts = catalog.products_by_category(database())
    branches: list[catalog.Branch] = []
    with span("catalog.tree", "categories"):
        for root, name in children[None]:
            catalog.category_tree_by_deep_recursion(children, counts, root, f"/{name}", branches)
        branches.sort(key=lambda branch: branch.products, reverse=True)
    return render("categories.html", branches=branches[:40], count=len(branches))


@pages.get("/cart/<int:cart>")
def cart(cart: int) -> str:
    """What a cart costs."""
    total = pricing.cart_total(database(), cart)
    with span("pricing", "best price"):
        best = pricing.price_after_rules(total, pricing.rules_for(cart))
    return render("cart.html", cart=cart, total=total, best=best)


@pages.get("/bestsellers")
def bestsellers() -> str:
    """The dearest sales of the last days."""
    with span("report", "dearest sales"):
        top = reports.sort_all_sales_holding_the_gil(shop().sales, 20)
    return render("bestsellers.html", sales=top)


@pages.get("/recommendations/<int:product_id>")
def recommended(product_id: int) -> str:
    """Products that are like another one. Between the queries and the template no span is open."""
    found = catalog.product(database(), product_id)
    if found is None:
        abort(404)
    others = catalog.products(database(), 250)
    similar = recommendations.score_recommendations_without_a_span(found["description"], others)
    return render("recommendations.html", product=found, similar=similar)


@pages.get("/coupon/<code>")
def coupon(code: str) -> str:
    """What a coupon is worth. An unknown one is a KeyError: the shop's one plain bug."""
    return render("coupon.html", code=code, percent=COUPONS[code])
