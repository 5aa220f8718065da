"""Pictures of every view of the page, wide and narrow, light and dark, for docs/pictures.

    python tests/bench/screenshots.py [VIEW ...] [--into FOLDER]      all pictured ones unless named

The views are the table of tests/helpers/pageviews.py. A picture is wide (1440 x 900) or narrow
(390 x 844), with a palette of 64 colours, so that the set stays small.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.chromium import page_of
from helpers.pagelooks import check_looks
from helpers.pageviews import VIEWS

SCREENS = {"wide": (1440, 900), "narrow": (390, 844)}
COLOURS = 64
FOLDER = Path(__file__).parents[2] / "docs" / "pictures"


def main() -> None:
    names = [view.name for view in VIEWS if view.pictured]
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("views", nargs="*", metavar="VIEW")
    asked.add_argument("--into", type=Path, default=FOLDER)
    given = asked.parse_args()
    given.into.mkdir(parents=True, exist_ok=True)
    if not given.views:
        for old in given.into.glob("*.png"):
            old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        for screen, size in SCREENS.items():
            for scheme in ("light", "dark"):
                draw(Path(folder), given.views or names, screen, size, scheme, given.into)
    tell(given.into)
    sizes = [path.stat().st_size for path in given.into.glob("*.png")]
    print(f"{len(sizes)} pictures, {sum(sizes) / 1e6:.2f} MB, in {given.into}")


def draw(
    pages: Path, names: list[str], screen: str, size: tuple[int, int], scheme: str, into: Path
) -> None:
    """The pictures of one screen in one colour scheme."""
    width, height = size
    with page_of("about:blank", width=width, height=height, color_scheme=scheme) as page:
        for view in (view for view in VIEWS if view.name in names):
            view.open(page, pages)
            check_looks(page)
            page.wait_for_timeout(200)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            small = picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=0)
            small.save(into / f"{view.name}-{screen}-{scheme}.png", optimize=True)


def tell(into: Path) -> None:
    """A page that shows the wide pictures and links the others."""
    lines = [
        "# Pictures of the page",
        "",
        "`python tests/bench/screenshots.py` draws them; `tests/helpers/pageviews.py` lists them.",
    ]
    for view in (view for view in VIEWS if (into / f"{view.name}-wide-light.png").exists()):
        links = [
            f"[{screen}, {scheme}]({view.name}-{screen}-{scheme}.png)"
            for screen in SCREENS
            for scheme in ("light", "dark")
        ]
        picture = f"![{view.name}]({view.name}-wide-light.png)"
        lines += ["", f"## {view.name.capitalize()}", "", picture, "", " · ".join(links)]
    (into / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
