"""The page as one self-contained HTML file: style, modules, data inline, nothing else allowed."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, TextIO

from flamespan.viewer.pagedata import page_data
from flamespan.viewer.sources import EDITOR, Links

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

MODULES = (
    "columns",
    "cut",
    "stacks",
    "model",
    "layers",
    "axis",
    "format",
    "waits",
    "palette",
    "state",
    "surface",
    "owners",
    "flame",
    "waitbar",
    "waterfall",
    "overview",
    "spanlayout",
    "gestures",
    "rows",
    "tip",
    "notices",
    "roving",
    "charts",
    "merged",
    "mergedchart",
    "intervals",
    "table",
    "sparkline",
    "picker",
    "threads",
    "split",
    "stackwalk",
    "links",
    "sourcecode",
    "stacktrace",
    "sandwich",
    "sandwichview",
    "framepane",
    "windowdetails",
    "details",
    "controls",
    "sums",
    "answers",
    "shortcuts",
    "app",
)
"""The page's modules, each after those that it imports; they share one scope in the file."""

STYLES = ("style", "frame")
"""The page's style sheets; later ones may refine earlier ones."""

_IMPORT = re.compile(r'^import\s[^;]*?\sfrom\s"\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export\s+(?=(?:async\s+)?(?:function|class|const|let)\b)", re.MULTILINE)


def write(
    profile: Profile,
    file: TextIO,
    *,
    repository: str = "",
    editor: str = EDITOR,
    sources: bool = True,
) -> None:
    """Write the page to ``file``: what ``flamespan export -f html`` does; see ``Links``."""
    file.write(render_html(profile, links=Links(repository, editor, sources)))


def render_html(profile: Profile, *, title: str = "", links: Links | None = None) -> str:
    """The page for ``profile``: one HTML file that opens from disk and asks nobody for anything.

    ``links`` says where code is opened and whether source text is in the page (it is, of files
    that are on this machine and unchanged).

    Raises UsageError where the recordings lie too far apart for one page.
    """
    return render_data(page_data(profile, title, links).encode())


def render_data(data: str) -> str:
    """The page around data that ``PageData.encode`` gave."""
    style = "\n".join(read_page_file(f"{name}.css") for name in STYLES)
    script = bundle()
    policy = (
        f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "policy": f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">',
        "style": f"<style>{style}</style>",
        "data": f'<script type="application/octet-stream" id="flamespan-data">{data}</script>',
        "script": f'<script type="module">{script}</script>',
    }
    page = read_page_file("index.html")
    for name, text in parts.items():
        mark = f"<!-- flamespan: {name} -->"
        before, _, after = page.partition(mark)
        page = before + text + after
    return page


def bundle() -> str:
    """All modules as one script: import lines left out, ``export`` words taken off."""
    return "\n".join(_strip(read_page_file(f"{name}.js")) for name in MODULES)


def imported_by(name: str) -> list[str]:
    """The modules that a module imports."""
    return _IMPORT.findall(read_page_file(f"{name}.js"))


def read_page_file(name: str) -> str:
    """The text of a file of the page."""
    return (page_folder() / name).read_text(encoding="utf-8")


def page_folder() -> Traversable:
    """The folder of the page's files, which may lie in an archive."""
    return resources.files("flamespan.viewer") / "page"


def _strip(module: str) -> str:
    return _EXPORT.sub("", _IMPORT.sub("", module))


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
