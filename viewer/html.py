"""The page as one self-contained HTML file: style, modules, data inline, nothing else allowed."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
import zlib
from concurrent.futures import Executor, ThreadPoolExecutor
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, TextIO

from flamespan.aggregator.exporting.json import plain
from flamespan.viewer import aggregatedata, comparisondata
from flamespan.viewer.pagedata import page_data
from flamespan.viewer.sources import EDITOR, Links

if TYPE_CHECKING:
    from flamespan.aggregator.comparison import Comparison
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
    "places",
    "state",
    "surface",
    "owners",
    "chartmarks",
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
    "focus",
    "charts",
    "merged",
    "graph",
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
    "choices",
    "controls",
    "sums",
    "answers",
    "shortcuts",
    "pieces",
    "search",
    "titles",
    "views",
    "app",
    "numbertable",
    "functiondetail",
    "functionsview",
    "aggregate",
    "sides",
    "changes",
    "compare",
    "datasource",
    "recordings",
    "exports",
    "saving",
    "main",
)
"""The page's modules, each after those that it imports; they share one scope in the file."""

STYLES = ("style", "frame", "views")
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
    # zlib lets go of the GIL: what is ready is compressed while the rest is computed.
    with ThreadPoolExecutor(1) as packer:
        data = packer.submit(page_data(profile, title, links).encode)
        aggregates = _aggregates(profile, packer)
        return _render(_data(data.result()) + aggregates)


def _aggregates(profile: Profile, packer: Executor) -> str:
    """The element with the embedded aggregates, each packed while the next one is computed."""
    made, left_out = aggregatedata.embedded(profile)
    packing, before, parts = zlib.compressobj(6, wbits=31), '{"aggregates":[', []
    for one in made:
        parts.append(packer.submit(packing.compress, _encoded(one, before)))
        before = ","
    parts.append(packer.submit(packing.compress, f'],"left_out":{left_out}}}'.encode()))
    packed = b"".join(part.result() for part in parts)
    return _element("aggregates", packed + packing.flush())


def render_data(data: str) -> str:
    """The page around data that ``PageData.encode`` gave."""
    return _render(_data(data))


def write_comparison(found: Comparison, file: TextIO) -> None:
    """Write the page of a comparison to ``file``: what ``flamespan diff --html`` does."""
    file.write(render_comparison(found))


def render_comparison(found: Comparison) -> str:
    """One HTML file with the compare view alone."""
    return _render(_data("") + _element("comparison", pack(comparisondata.comparison(found))))


def render_served(first: str = "") -> str:
    """The page that asks the server it comes from for its data; ``first`` is its first address."""
    given = html.escape(json.dumps({"first": first}))
    return _render(_data("", f' data-served="{given}"'), "connect-src 'self'; ")


def pack(value: object) -> bytes:
    """A JSON value, compressed."""
    return gzip.compress(_encoded(value), 6, mtime=0)


def _encoded(value: object, before: str = "") -> bytes:
    text = json.dumps(value, default=plain, separators=(",", ":"), allow_nan=False)
    return (before + text).encode("utf-8", "replace")


def _element(name: str, packed: bytes) -> str:
    text = base64.b64encode(packed).decode("ascii")
    return f'<script type="application/x-flamespan" id="flamespan-{name}">{text}</script>'


def _data(data: str, attributes: str = "") -> str:
    kind = 'type="application/octet-stream" id="flamespan-data"'
    return f"<script {kind}{attributes}>{data}</script>"


def _render(data: str, allowed: str = "") -> str:
    """The page around its data elements; ``allowed`` is what its policy allows more than usual."""
    style = "\n".join(read_page_file(f"{name}.css") for name in STYLES)
    script = bundle()
    policy = (
        f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; "
        f"{allowed}img-src data:; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "policy": f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">',
        "style": f"<style>{style}</style>",
        "data": data,
        "script": f'<script type="module">{script}</script>',
    }
    page = read_page_file("index.html")
    for name, text in parts.items():
        before, _, after = page.partition(f"<!-- flamespan: {name} -->")
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
