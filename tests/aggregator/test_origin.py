"""Whose code a file is: from the recording's folders, on any machine."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


VENV_IN_PROJECT = {
    "stdlib": "/usr/lib/python3.12",
    "purelib": "/home/me/shop/venv/lib/python3.12/site-packages",
    "scripts": "/home/me/shop/venv/bin",
    "sys_path": ["/home/me/shop", "/home/me/shop/venv/lib/python3.12/site-packages"],
    "cwd": "/home/me/shop",
    "main": "/home/me/shop/venv/bin/gunicorn",
}
ZIPAPP = {
    "stdlib": "/usr/lib/python3.12",
    "sys_path": ["/srv/shop.pyz", "/usr/lib/python3.12"],
    "cwd": "/",
    "main": "/srv/shop.pyz",
}
LOCAL = {
    "stdlib": "/usr/local/lib/python3.12",
    "purelib": "/usr/local/lib/python3.12/site-packages",
    "scripts": "/usr/local/bin",
    "sys_path": ["/usr/local/src/shop", "/usr/local/lib/python3.12"],
    "prefix": "/usr/local",
    "base_prefix": "/usr/local",
    "cwd": "/usr/local/src",
    "main": "/usr/local/src/shop/serve.py",
}
APP = LOCAL | {"sys_path": ["/app", "/usr/local/lib/python3.12"], "cwd": "/app",
               "main": "/app/__main__.py"}  # fmt: skip
NO_STDLIB_KEY = {"sys_path": ["/srv/app", "/usr/lib/python3.12"], "cwd": "/srv/app"}
WINDOWS_VENV = {
    "stdlib": r"C:\Users\me\AppData\Local\Programs\Python\Python312\Lib",
    "purelib": r"D:\shop\.venv\Lib\site-packages",
    "sys_path": [r"D:\shop", r"D:\shop\.venv\Lib\site-packages"],
    "cwd": "D:\\",
    "main": r"D:\shop\tools\run.py",
}

OF_EVERY_KIND = [
    # A virtual environment inside the project; a library's script that was started.
    (VENV_IN_PROJECT, "/home/me/shop/cart/views.py", Origin.APPLICATION, "cart.views"),
    (VENV_IN_PROJECT, "/home/me/shop/venv/lib/python3.12/site-packages/flask/app.py",
     Origin.LIBRARY, "flask.app"),
    (VENV_IN_PROJECT, "/home/me/shop/venv/bin/gunicorn", Origin.LIBRARY, "gunicorn"),
    # Editable installs: a path in sys.path, or a finder that adds none.
    (LINUX, "/opt/editable/src/pkg/mod.py", Origin.APPLICATION, "pkg.mod"),
    (LINUX, "/home/me/other/src/pkg/mod.py", Origin.APPLICATION, "mod"),
    # Archives that are run or imported from.
    (ZIPAPP, "/srv/shop.pyz/__main__.py", Origin.APPLICATION, "__main__"),
    (ZIPAPP, "/srv/shop.pyz/shop/views.py", Origin.APPLICATION, "shop.views"),
    (ZIPAPP, "/root/.shiv/shop_1a2b/site-packages/flask/app.py", Origin.LIBRARY, "flask.app"),
    # Namespace packages have no __init__.py.
    (LINUX, "/srv/app/company/shop/views.py", Origin.APPLICATION, "company.shop.views"),
    # Containers.
    (LOCAL, "/usr/local/src/shop/cart.py", Origin.APPLICATION, "cart"),
    (LOCAL, "/usr/local/src/tools.py", Origin.APPLICATION, "tools"),
    (LOCAL, "/usr/local/lib/python3.12/asyncio/base_events.py", Origin.STDLIB,
     "asyncio.base_events"),
    (LOCAL, "/usr/local/lib/python3.12/site-packages/a/b.py", Origin.LIBRARY, "a.b"),
    (LOCAL, "/usr/local/bin/uvicorn", Origin.LIBRARY, "uvicorn"),
    (APP, "/app/shop/views.py", Origin.APPLICATION, "shop.views"),
    (APP, "/app/__main__.py", Origin.APPLICATION, "__main__"),
    (APP, "/usr/local/lib/python3.12/ssl.py", Origin.STDLIB, "ssl"),
    # Started in /: that is no folder of the application's.
    (CONTAINER, "/opt/other/x.py", Origin.APPLICATION, "x"),
    # Windows, read on any machine.
    (WINDOWS_VENV, r"D:\shop\cart\views.py", Origin.APPLICATION, "cart.views"),
    (WINDOWS_VENV, r"d:\SHOP\.venv\lib\site-packages\flask\app.py", Origin.LIBRARY, "flask.app"),
    (WINDOWS_VENV, r"c:\users\me\appdata\local\programs\python\python312\lib\ssl.py",
     Origin.STDLIB, "ssl"),
    (WINDOWS_VENV, r"D:\shop\tools\run.py", Origin.APPLICATION, "run"),
    (WINDOWS_VENV, r"\\server\share\x.py", Origin.APPLICATION, "x"),
    ({}, r"C:\Python312\Lib\json\decoder.py", Origin.STDLIB, "json.decoder"),
    # Frozen modules, code without a file.
    (LINUX, "<frozen runpy>", Origin.RUNTIME, "runpy"),
    (LINUX, "<frozen zipimport>", Origin.RUNTIME, "zipimport"),
    (LINUX, "<attrs generated init shop.Cart>", Origin.RUNTIME, ""),
    (LINUX, "<__array_function__ internals>", Origin.RUNTIME, ""),
    # Notebooks and consoles: typed by the user.
    (LINUX, "<ipython-input-3-1a2b3c>", Origin.APPLICATION, "__main__"),
    (LINUX, "/tmp/ipykernel_4711/123456.py", Origin.APPLICATION, "__main__"),
    (LINUX, "/var/folders/zz/T/ipykernel_4711/12.py", Origin.APPLICATION, "__main__"),
    (WINDOWS, r"C:\Users\me\AppData\Local\Temp\ipykernel_12\34.py", Origin.APPLICATION, "__main__"),
    (LINUX, "<stdin>", Origin.APPLICATION, "__main__"),
    (LINUX, "<python-input-7>", Origin.APPLICATION, "__main__"),
    # Recordings that tell little, and foreign ones that tell nothing.
    (NO_STDLIB_KEY, "/usr/lib/python3.12/ssl.py", Origin.STDLIB, "ssl"),
    (NO_STDLIB_KEY, "/usr/lib/python3.12/lib-dynload/_ssl.so", Origin.STDLIB, "_ssl"),
    ({}, "/usr/lib/python3.12/json/decoder.py", Origin.STDLIB, "json.decoder"),
    ({}, "/opt/conda/envs/x/lib/python3.11/ssl.py", Origin.STDLIB, "ssl"),
    ({}, "/Library/Frameworks/Python.framework/Versions/3.12/lib/python3.12/ssl.py",
     Origin.STDLIB, "ssl"),
    ({}, "/usr/lib/pypy3.10/ssl.py", Origin.STDLIB, "ssl"),
    ({}, "/home/me/.local/lib/python3.11/site-packages/x/y.py", Origin.LIBRARY, "x.y"),
    ({}, "threading.py", Origin.STDLIB, "threading"),
    ({}, "json/decoder.py", Origin.STDLIB, "json.decoder"),
    ({}, "shop/views.py", Origin.APPLICATION, "shop.views"),
    (LINUX, "threading.py", Origin.APPLICATION, "threading"),
]  # fmt: skip


@pytest.mark.parametrize(("paths", "file", "origin", "module"), OF_EVERY_KIND)
def test_installations_of_every_kind(paths, file, origin, module):
    rules = PathRules(paths)
    assert (rules.origin("f", file), rules.module(file)) == (origin, module)


words = st.sampled_from(
    ["", "/", "usr", "lib", "python3.12", "site-packages", "C:", "\\", "<", ">", "frozen x", "é.py"]
)
files = st.lists(words, max_size=8).map("/".join) | st.text(max_size=20)
headers = st.dictionaries(
    st.sampled_from([*LINUX, "platlib", "scripts"]),
    files | st.lists(files, max_size=3) | st.none() | st.integers(),
)


@given(headers, files, files, st.lists(files, max_size=2), st.lists(files, max_size=2))
@settings(max_examples=300, deadline=None)
def test_an_origin_is_never_unset(paths, name, file, application, library):
    rules = PathRules(paths, application, library)
    assert rules.origin(name, file) in Origin
    assert isinstance(rules.module(file), str)


@pytest.mark.parametrize(
    ("globs", "file", "matches"),
    [
        (["shop"], "/srv/app/shop/views.py", True),
        (["shop.v*"], "/srv/app/shop/views.py", True),
        (["shop"], "/srv/app/shopping/views.py", False),
        (["/srv/app/shop"], "/srv/app/shop/views.py", True),
        (["/srv/*/shop/"], "/srv/app/shop/views.py", True),
        (["*/views.py"], "/srv/app/shop/views.py", True),
        ([r"C:\work\shop"], r"c:\Work\Shop\Views.py", True),
        (["*/shop/*"], r"C:\Work\Shop\Views.py", True),
        (["Views"], r"C:\Work\Shop\Views.py", True),
        (["<string>"], "<string>", True),
        (["flask"], "", False),
    ],
)
def test_user_rules_are_globs_on_module_or_path(globs, file, matches):
    paths = {"sys_path": ["/srv/app", r"C:\Work\Shop"], "site_packages": ["/srv", r"C:\Work"]}
    default = PathRules(paths).origin("f", file)
    wanted = Origin.LIBRARY if matches else default
    assert PathRules(paths, library=globs).origin("f", file) == wanted
    both = PathRules(paths, application=globs, library=globs)
    assert both.origin("f", file) == (Origin.APPLICATION if matches else default)


@pytest.mark.parametrize(
    ("paths", "file", "origin", "module"),
    [
        (LINUX, "/srv/app/shop/views.py", Origin.APPLICATION, "shop.views"),
        (LINUX, "/srv/app/shop/__init__.py", Origin.APPLICATION, "shop"),
        (LINUX, "/srv/app/tools/run.py", Origin.APPLICATION, "run"),
        (LINUX, "/srv/application/x.py", Origin.APPLICATION, "x"),
        (LINUX, "/srv/app/.venv/lib/python3.12/site-packages/flask/app.py",
         Origin.LIBRARY, "flask.app"),
        (LINUX, "/usr/lib/python3/dist-packages/np/_um.cpython-312-x86_64-linux-gnu.so",
         Origin.LIBRARY, "np._um"),
        (LINUX, "/srv/app/shop/fast.abi3.so", Origin.APPLICATION, "shop.fast"),
        (WINDOWS, r"C:\Work\Shop\fast.cp312-win_amd64.pyd", Origin.APPLICATION, "fast"),
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
