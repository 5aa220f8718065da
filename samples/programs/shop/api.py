"""The JSON API."""

from __future__ import annotations

from flask import Blueprint, Response, abort, request

from shop import catalog, stock
from shop.app import database, shop
from shop.serializer import to_json
from shop.tracing import span

api = Blueprint("api", __name__, url_prefix="/api")


@api.get("/product/<int:product_id>")
def product(product_id: int) -> Response:
    """One product."""
    found = catalog.product(database(), product_id)
    if found is None:
        abort(404)
    return _answer(found)


@api.get("/products")
def products() -> Response:
    """Many products with all their text."""
    return _answer(catalog.products(database(), 250))


@api.post("/checkout")
def checkout() -> Response:
    """Buy a product: body ``{"product": id, "pieces": count}``."""
    match request.get_json():
        case {"product": int(product_id), "pieces": int(pieces)}:
            if catalog.product(database(), product_id) is None:
                abort(404)
        case _:
            abort(400)
    purchase = stock.reserve_under_one_big_lock(database(), product_id, pieces)
    shop().worker.confirm_later(purchase)
    return _answer({"purchase": purchase})


def _answer(value: object) -> Response:
    with span("serialize", "json"):
        text = to_json(value)
    return Response(text, mimetype="application/json")
