"""Whose code a file is: from the recording's folders, on any machine."""

from __future__ import annotations

import pytest

from flamespan.aggregator.data import APPLICATION, SYSTEM, Origin
from flamespan.aggregator.origin import PathRules

LINUX = {
    "stdlib": "/usr/lib/python3.12",
    "platstdlib": "/usr/lib/python3.12",
    "purelib": "/srv/app/.venv/lib/python3.12/site-packages",
    "site_packages": ["/srv/app/.venv/lib/python3.12/site-packages"],
    "sys_path": [
        "/srv/app",
        "/usr/lib/python312.zip",
        "/usr/lib/python3.12",
        "/usr/lib/python3.12/lib-dynload",
        "/srv/app/.venv/lib/python3.12/site-packages",
        "/opt/editable/src",
    ],
    "prefix": "/srv/app/.venv",
    "base_prefix": "/usr",
    "cwd": "/srv/app",
    "main": "/srv/app/tools/run.py",
    "flamespan": "/home/dev/flamespan/profiler",
}
CONTAINER = {
    "stdlib": "/usr/local/lib/python3.12",
    "purelib": "/usr/local/lib/python3.12/site-packages",
    "sys_path": ["/usr/local/app", "/usr/local/lib/python3.12"],
    "prefix": "/usr/local",
    "cwd": "/",
}
WINDOWS = {
    "stdlib": r"C:\Python312\Lib",
    "purelib": r"C:\Python312\Lib\site-packages",
    "sys_path": [r"C:\Work\Shop", r"C:\Python312\Lib"],
    "cwd": r"c:\work\shop",
}


@pytest.mark.parametrize(
    ("paths", "file", "origin", "module"),
    [
        (LINUX, "/srv/app/shop/views.py", Origin.APPLICATION, "shop.views"),
        (LINUX, "/srv/app/shop/__init__.py", Origin.APPLICATION, "shop"),
        (LINUX, "/srv/app/tools/run.py", Origin.APPLICATION, "run"),
        (LINUX, "/srv/application/x.py", Origin.APPLICATION, "x"),
        (LINUX, "/srv/app/.venv/lib/python3.12/site-packages/flask/app.py",
         Origin.LIBRARY, "flask.app"),
        (LINUX, "/usr/lib/python3/dist-packages/apt/cache.py", Origin.LIBRARY, "apt.cache"),
        (LINUX, "/usr/lib/python3.12/json/decoder.py", Origin.STDLIB, "json.decoder"),
        (LINUX, "/usr/lib/python312.zip/json/decoder.py", Origin.STDLIB, "json.decoder"),
        (LINUX, "/usr/lib/python3.123/x.py", Origin.APPLICATION, "x"),
        (LINUX, "/opt/editable/src/pkg/mod.py", Origin.APPLICATION, "pkg.mod"),
        (LINUX, "/home/dev/flamespan/profiler/spans.py", Origin.LIBRARY, "spans"),
        (LINUX, "<frozen importlib._bootstrap>", Origin.RUNTIME, "importlib._bootstrap"),
        (LINUX, "<string>", Origin.RUNTIME, ""),
        (LINUX, "", Origin.RUNTIME, ""),
        (CONTAINER, "/usr/local/app/views.py", Origin.APPLICATION, "views"),
        (CONTAINER, "/usr/local/lib/python3.12/site-packages/a/b.py", Origin.LIBRARY, "a.b"),
        (CONTAINER, "/usr/local/lib/python3.12/ssl.py", Origin.STDLIB, "ssl"),
        (WINDOWS, r"C:\Work\Shop\views\Cart.py", Origin.APPLICATION, "views.Cart"),
        (WINDOWS, r"c:\python312\lib\site-packages\Flask\app.py", Origin.LIBRARY, "Flask.app"),
        (WINDOWS, r"C:\Python312\Lib\json\decoder.py", Origin.STDLIB, "json.decoder"),
        ({}, "/anywhere/x.py", Origin.APPLICATION, "x"),
        ({"stdlib": 3, "sys_path": [None, 7], "main": []}, "/x/y.py", Origin.APPLICATION, "y"),
    ],
)  # fmt: skip
def test_origin_and_module(paths, file, origin, module):
    rules = PathRules(paths)
    assert rules.origin("f", file) == origin
    assert rules.module(file) == module


def test_stand_ins():
    rules = PathRules(LINUX)
    assert rules.origin(APPLICATION, "") == Origin.APPLICATION
    assert rules.origin(SYSTEM, "") == Origin.RUNTIME


def test_user_rules_come_first():
    rules = PathRules(LINUX, application=["flask", "*/apt/*"], library=["shop.vendored.*"])
    flask = "/srv/app/.venv/lib/python3.12/site-packages/flask/app.py"
    assert rules.origin("f", flask) == Origin.APPLICATION
    assert rules.origin("f", flask.replace("flask", "flasklike")) == Origin.LIBRARY
    assert rules.origin("f", "/usr/lib/python3/dist-packages/apt/cache.py") == Origin.APPLICATION
    assert rules.origin("f", "/srv/app/shop/vendored/six.py") == Origin.LIBRARY
    assert rules.origin("f", "/srv/app/shop/views.py") == Origin.APPLICATION
