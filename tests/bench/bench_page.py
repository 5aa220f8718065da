"""How fast the page is with many samples, next to speedscope on the same data in the same run.

    python tests/bench/bench_page.py [N ...] [--no-speedscope]      default N: 100000 1000000

For each N two recordings: ``boxes`` (the worst case: 3 N boxes in one thread) and ``service``
(eight threads, 2 000 transactions). In a headless Chromium, without a GPU, the page is opened at
everything that was recorded, which is the most it can be asked to draw:

    file         the self-contained HTML
    ready        from the start of the load until the first picture with all numbers is painted
    frame        one redraw of all charts, zoomed out: script, and whole frames while it is panned
    hit          the box under the pointer: the page's whole answer to a move, median and 99 %
    table        other frames are chosen, until the table is there

speedscope opens its own format of the same profile from 127.0.0.1; of it ``ready``, and whole
frames while it is zoomed. Runs take turns, the figures are medians. speedscope is taken from npm.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import warnings
from pathlib import Path
from urllib.parse import quote

import synthetic_boxes
import synthetic_recording

sys.path.insert(0, str(Path(__file__).parents[1]))

from flamespan.aggregator import Profile, load
from flamespan.aggregator.exporting import export
from flamespan.viewer.html import render_html
from flamespan.viewer.speedscope import PACKAGE
from helpers.chromium import ARGS, executable

SPEEDSCOPE_LIMIT_S = 150
"""How long speedscope is waited for; with 3 million boxes it takes most of a minute."""

WATCH = """
window.frames_ms = [];
const asked = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (callback) => asked((time) => {
  const begin = performance.now();
  callback(time);
  window.frames_ms.push(performance.now() - begin);
});
new MutationObserver((_, observer) => {
  if (!document.body?.dataset.ready) return;
  observer.disconnect();
  asked(() => asked(() => {
    window.ready_ms = performance.now();
    document.body.dataset.measured = "yes";
  }));
}).observe(document, { attributes: true, childList: true, subtree: true });
"""

PAINTED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"

PAN = """async ([selector, key]) => {
  const canvas = document.querySelector(selector);
  const box = canvas.getBoundingClientRect();
  const next = () => new Promise((done) => requestAnimationFrame(done));
  await next(); await next();
  window.frames_ms = [];
  const times = [];
  let before = performance.now();
  for (let i = 0; i < 24; i++) {
    canvas.dispatchEvent(new WheelEvent("wheel", {
      deltaY: i % 2 ? 1 : -1, bubbles: true, cancelable: true, ctrlKey: key,
      clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 }));
    await next();
    const now = performance.now();
    times.push(now - before);
    before = now;
  }
  return { whole: times.slice(4), scripts: window.frames_ms, count: times.length };
}"""

HIT = """() => {
  const canvas = document.getElementById("flame");
  const box = canvas.getBoundingClientRect();
  const times = [];
  let seed = 1;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  for (let i = 0; i < 2000; i++) {
    const at = { bubbles: true, clientX: box.left + random() * box.width,
      clientY: box.top + random() * box.height };
    const begin = performance.now();
    canvas.dispatchEvent(new PointerEvent("pointermove", at));
    times.push(performance.now() - begin);
  }
  return times.sort((a, b) => a - b);
}"""

CHOOSE = """async () => {
  const begin = performance.now();
  document.querySelector("#choose-frames [data-value=application]").click();
  const took = performance.now() - begin;
  document.querySelector("#choose-frames [data-value=all]").click();
  return took;
}"""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("samples", nargs="*", type=float, default=[1e5, 1e6])
    asked.add_argument("--no-speedscope", action="store_true")
    asked.add_argument("--runs", type=int, default=3)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        release = None if given.no_speedscope else speedscope_release(folder)
        for count in (int(number) for number in given.samples):
            for kind in ("boxes", "service"):
                measure(folder, kind, count, release, given.runs)


def recording(folder: Path, kind: str, count: int) -> Profile:
    if kind == "boxes":
        return load(synthetic_boxes.write(folder / "boxes.fspan", count))
    return load(synthetic_recording.make(folder, count)[0])


def measure(folder: Path, kind: str, count: int, release: Path | None, runs: int) -> None:
    profile = recording(folder, kind, count)
    begin = time.perf_counter()
    page = folder / "page.html"
    page.write_text(render_html(profile), encoding="utf-8")
    made = time.perf_counter() - begin
    size = page.stat().st_size / 1e6
    print(f"\n{kind}, {count:,} samples: file {size:.1f} MB, made in {made:.1f} s", flush=True)
    if release:
        warnings.simplefilter("ignore")  # that the format has no room for spans is known
        export(profile, "speedscope", release / "profile.json")
    del profile
    ours, theirs = [], []
    with served(release or folder) as address:
        for _ in range(runs):
            ours.append(run_page(page))
            # One that takes a minute shows its slowness in one run.
            if release and (not theirs or (theirs[0]["ready"] or 1e9) < 20_000):
                theirs.append(run_speedscope(address))
    tell("flamespan", ours)
    if theirs:
        tell("speedscope", theirs)


def tell(name: str, runs: list[dict[str, float | None]]) -> None:
    parts = []
    for key in runs[0]:
        values = [value for run in runs if (value := run.get(key)) is not None]
        parts.append(f"{key} {statistics.median(values):.3g} ms" if values else f"{key} never")
    print(f"  {name:10} {', '.join(parts)}  ({len(runs)} runs)", flush=True)


def run_page(file: Path) -> dict[str, float | None]:
    with browser_page() as page:
        page.add_init_script(WATCH)
        page.goto(f"{file.as_uri()}#t=all", wait_until="commit", timeout=120_000)
        page.wait_for_selector("body[data-measured]", timeout=120_000)
        found: dict[str, float | None] = {"ready": page.evaluate("window.ready_ms")}
        frames = page.evaluate(PAN, ["#flame", False])
        script = sum(frames["scripts"]) / frames["count"]
        found |= {"frame": script, "whole frame": statistics.median(frames["whole"])}
        hits = page.evaluate(HIT)
        found |= {"hit": hits[len(hits) // 2], "hit 99 %": hits[int(len(hits) * 0.99)]}
        found["table"] = page.evaluate(CHOOSE)
        return found


def run_speedscope(address: str) -> dict[str, float | None]:
    """speedscope's view over time; ``ready`` is when it has the profile's name and has painted."""
    with browser_page() as page:
        url = f"{address}/index.html#profileURL={quote(f'{address}/profile.json', safe='')}"
        begin = time.perf_counter()
        page.goto(url, wait_until="commit")
        try:
            loaded = "document.title.endsWith(' - speedscope')"
            page.wait_for_function(loaded, timeout=SPEEDSCOPE_LIMIT_S * 1000)
            page.evaluate(
                "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
            )
            ready = (time.perf_counter() - begin) * 1000
            frames = page.evaluate(PAN, ["canvas:last-of-type", True])
        except Exception as error:  # it gave up, or the tab broke down
            print(f"  speedscope: {str(error).splitlines()[0]}")
            return {"ready": None, "whole frame": None}
        return {"ready": ready, "whole frame": statistics.median(frames["whole"])}


class browser_page:
    """A page of a browser of its own, so that no run warms up the next."""

    def __enter__(self):
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(executable_path=executable(), args=ARGS)
        return self._browser.new_page(viewport={"width": 1440, "height": 900})

    def __exit__(self, *_: object) -> None:
        self._browser.close()
        self._playwright.stop()


def speedscope_release(folder: Path) -> Path | None:
    """speedscope's own files from its npm package, or None, said."""
    npm = shutil.which("npm")
    if not npm:
        print("npm is not here: no speedscope to compare with")
        return None
    asked = [npm, "pack", PACKAGE, "--silent", "--pack-destination", str(folder)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        print(f"npm cannot fetch {PACKAGE}: no speedscope to compare with")
        return None
    (packed,) = folder.glob("speedscope*.tgz")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package" / "dist" / "release"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        pass


class served:
    """A folder on 127.0.0.1; gives its address."""

    def __init__(self, folder: Path) -> None:
        handler = functools.partial(_Quiet, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


if __name__ == "__main__":
    main()
