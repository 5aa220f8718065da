"""The Flask application: its parts, put together."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app, g, render_template

from shop.database import Database
from shop.seed import Sale
from shop.tracing import span, trace_requests
from shop.worker import Worker


@dataclass(frozen=True, slots=True)
class Shop:
    """What all requests share."""

    path: str
    sales: list[Sale]
    worker: Worker


def create_app(path: str, sales: list[Sale]) -> Flask:
    """The shop over the filled database file ``path``; its worker is not started."""
    from shop import api, pages

    app = Flask(__package__)
    app.extensions["shop"] = Shop(path, sales, Worker(path, app.jinja_env))
    app.register_blueprint(pages.pages)
    app.register_blueprint(api.api)
    app.teardown_appcontext(_close_database)
    app.wsgi_app = trace_requests(app)  # type: ignore[assignment,method-assign]
    return app


def shop() -> Shop:
    """What all requests share."""
    found: Shop = current_app.extensions["shop"]
    return found


def database() -> Database:
    """This request's connection."""
    if "database" not in g:
        with span("db.connect"):
            g.database = Database(shop().path)
    connection: Database = g.database
    return connection


def _close_database(_error: BaseException | None) -> None:
    connection = g.pop("database", None)
    if connection is not None:
        with span("db.close"):
            connection.close()


def render(template: str, **values: object) -> str:
    """A page, in a span."""
    with span("template.render", template):
        return render_template(template, **values)
