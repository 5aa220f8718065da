"""The real speedscope opens our export: all three views, in a headless Chromium, offline."""

from __future__ import annotations

import functools
import http.server
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from urllib.parse import quote

import pytest

from flamespan.aggregator.exporting import export
from flamespan.profiler.__main__ import main
from flamespan.viewer.speedscope import PACKAGE
from helpers import speedscope_rules
from helpers.chromium import page_of
from helpers.scenes import MS, shop

DATA = Path(__file__).parents[2] / "viewer" / "speedscope-data"

pytestmark = [pytest.mark.browser, pytest.mark.npm]


@pytest.fixture(scope="module")
def packed(request) -> Path:
    """speedscope's npm package, fetched once and kept in pytest's cache."""
    cache = Path(request.config.cache.mkdir("speedscope")) / PACKAGE.replace("@", "-")
    if not list(cache.glob("*.tgz")):
        npm = shutil.which("npm") or pytest.skip("npm is not installed")
        cache.mkdir(parents=True, exist_ok=True)
        fetched = subprocess.run(
            [npm, "pack", PACKAGE, "--silent", "--pack-destination", str(cache)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if fetched.returncode:
            pytest.skip(f"npm cannot fetch {PACKAGE}: {fetched.stderr.strip()[-200:]}")
    (found,) = cache.glob("*.tgz")
    return found


@pytest.fixture(scope="module")
def installed(packed, tmp_path_factory) -> Path:
    """A folder of modules with flamespan-speedscope in it, built as a user would."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    shutil.copytree(DATA, source, ignore=shutil.ignore_patterns("build", "*.egg-info"))
    done = pip(source, folder / "modules", SPEEDSCOPE_TGZ=str(packed))
    assert done.returncode == 0, done.stderr
    return folder / "modules"


def pip(source, target, **environ):
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    return subprocess.run(
        [*command, "--no-build-isolation", "--target", str(target), str(source)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **environ},
    )


@pytest.fixture(scope="module")
def release(installed) -> Path:
    return installed / "flamespan_speedscope" / "release"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        pass


@pytest.fixture
def site(release, tmp_path):
    """A folder with speedscope in it, served on 127.0.0.1."""
    folder = tmp_path / "site"
    shutil.copytree(release, folder)
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def opened(site, profile, view):
    folder, address = site
    export(profile, "speedscope", folder / "shop.json")
    speedscope_rules.check((folder / "shop.json").read_text())
    url = f"{address}/index.html#profileURL={quote(f'{address}/shop.json', safe='')}&view={view}"
    return page_of(url, width=1200, height=700)


@pytest.mark.parametrize("view", ["time-ordered", "left-heavy", "sandwich"])
def test_every_view_opens_without_a_complaint(site, view):
    with opened(site, shop().profile(), view) as page:
        page.get_by_text("MainThread (1/2)").wait_for(timeout=20_000)
        assert page.title() == "drawn.fspan (wall time) - speedscope"
        if view == "sandwich":
            assert _table(page) == {
                "sort": ("90.00ms (32%)", "90.00ms (32%)"),
                "walk": ("90.00ms (32%)", "90.00ms (32%)"),
                "execute": ("50.00ms (18%)", "50.00ms (18%)"),
                "cart": ("100.00ms (36%)", "30.00ms (11%)"),
                "render": ("20.00ms (7.1%)", "20.00ms (7.1%)"),
                "slow": ("180.00ms (64%)", "0.00ns (<0.01%)"),
                "load_items": ("50.00ms (18%)", "0.00ns (<0.01%)"),
                "run": ("280.00ms (100%)", "0.00ns (<0.01%)"),
                "main": ("280.00ms (100%)", "0.00ns (<0.01%)"),
            }
        else:
            assert _colours(page) > 4, "the chart is blank"


def test_the_weights_that_speedscope_writes_back_are_ours(site):
    """speedscope's own export of what it read has the same stacks and weights."""
    profile = shop().profile()
    with opened(site, profile, "time-ordered") as page:
        page.get_by_text("MainThread (1/2)").wait_for(timeout=20_000)
        with page.expect_download() as download:
            page.get_by_text("Export").click()
        text = Path(download.value.path()).read_text()
    found = _folded_events(text)
    whole = (site[0] / "shop.json").read_text()
    assert found == speedscope_rules.folded(speedscope_rules.check(whole))
    assert sum(found.values()) == profile.total_ns == 360 * MS


def test_a_transaction_and_an_empty_view_open_too(site):
    profile = shop().profile()
    with opened(site, profile.transaction("GET /slow"), "time-ordered") as page:
        page.get_by_text("MainThread").wait_for(timeout=20_000)
        assert _colours(page) > 4
    with opened(site, profile.states("gc"), "time-ordered") as page:
        page.get_by_text("nothing in view").wait_for(timeout=20_000)


def test_the_merged_file_has_the_same_table(site):
    """Other view, same totals: speedscope's own sums of the merged export."""
    profile = shop().profile()
    folder, address = site
    export(profile, "speedscope-merged", folder / "merged.json")
    url = f"{address}/index.html#profileURL={quote(f'{address}/merged.json', safe='')}"
    with page_of(f"{url}&view=sandwich", width=1200, height=700) as page:
        page.get_by_text("MainThread (1/2)").wait_for(timeout=20_000)
        table = _table(page)
    assert table["sort"] == ("90.00ms (32%)", "90.00ms (32%)")
    assert table["run"] == ("280.00ms (100%)", "0.00ns (<0.01%)")


def test_speedscope_reads_our_pprof_file(site):
    folder, address = site
    export(shop().profile(), "pprof", folder / "shop.pb.gz")
    url = f"{address}/index.html#profileURL={quote(f'{address}/shop.pb.gz', safe='')}"
    with page_of(f"{url}&view=sandwich", width=1200, height=700) as page:
        page.get_by_text("load_items").first.wait_for(timeout=20_000)
        assert _table(page)["execute"][1].startswith("50.00ms")


def _table(page) -> dict[str, tuple[str, str]]:
    """speedscope's table: function -> (total, self) as it shows them."""
    rows = [row.split() for row in page.locator("table tr").all_inner_texts()]
    return {row[4]: (" ".join(row[:2]), " ".join(row[2:4])) for row in rows if len(row) == 5}


def _colours(page) -> int:
    """How many colours a screenshot of the chart has (a blank one has two or three)."""
    image = pytest.importorskip("PIL.Image")
    page.wait_for_timeout(500)  # it draws in an animation frame after it has loaded
    picture = image.open(io.BytesIO(page.screenshot())).convert("RGB")
    found = picture.crop((0, 80, picture.width, 400)).getcolors(1 << 20)
    return sum(count > 200 for count, _ in found)


def _folded_events(text: str) -> dict[str, int]:
    """Folded stacks of an ``evented`` speedscope file, the time without a frame left out."""
    data = json.loads(text)
    names = [frame["name"] for frame in data["shared"]["frames"]]
    found: dict[str, int] = {}
    for profile in data["profiles"]:
        stack: list[int] = []
        before = profile["startValue"]
        for event in profile["events"]:
            if stack and event["at"] > before:
                key = ";".join(names[frame] for frame in stack)
                found[key] = found.get(key, 0) + event["at"] - before
            before = event["at"]
            if event["type"] == "O":
                stack.append(event["frame"])
            else:
                assert stack.pop() == event["frame"]
        assert not stack
    return found


def test_one_file_opens_from_disk_and_asks_for_nothing(installed, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    export(shop().profile(), "speedscope-html", tmp_path / "shop.html")
    text = (tmp_path / "shop.html").read_text("utf-8")
    assert "Jamie Wong" in text
    assert "SIL OPEN FONT LICENSE" in text
    asked = []
    address = f"{(tmp_path / 'shop.html').as_uri()}#view=sandwich"
    with page_of("about:blank", width=1200, height=700) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.get_by_text("MainThread (1/2)").wait_for(timeout=20_000)
        assert page.get_by_text("load_items").count() >= 1
        assert page.url.endswith("view=sandwich")
    assert asked == [address.partition("#")[0]] or asked == [address]


def test_view_opens_that_file(installed, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(installed))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert main(["view", str(shop().write(tmp_path / "shop.fspan")), "--speedscope"]) == 0
    [address] = opened
    assert f"wrote {address.removeprefix('file://')}" in capsys.readouterr().out
    assert address.endswith("profile.speedscope.html")


def test_another_file_than_the_known_one_is_refused(packed, tmp_path):
    (tmp_path / "other.tgz").write_bytes(packed.read_bytes() + b"\0")
    shutil.copytree(DATA, tmp_path / "source", ignore=shutil.ignore_patterns("build", "*.egg-info"))
    done = pip(
        tmp_path / "source", tmp_path / "modules", SPEEDSCOPE_TGZ=str(tmp_path / "other.tgz")
    )
    assert done.returncode != 0
    assert "this is not speedscope@" in done.stderr + done.stdout
    assert not (tmp_path / "modules" / "flamespan_speedscope").exists()
