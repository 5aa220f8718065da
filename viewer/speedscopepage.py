"""One file with speedscope and a profile in it, which opens from disk and asks for nothing else.

speedscope reads a local profile by its address's ``#localProfilePath=…``: it appends a script of
that path, which calls ``speedscope.loadFileFromBase64`` (as its own command does). Here the
profile lies in the page, so the script is not fetched: in its place the profile is handed over.
"""

from __future__ import annotations

import base64
import gzip
import io
import re
from pathlib import Path
from typing import IO, TYPE_CHECKING

from flamespan.aggregator.exporting import speedscope as export
from flamespan.profiler.errors import UsageError
from flamespan.viewer import speedscope

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile

_TEMPLATE = """<!DOCTYPE html>
<html>
<head>
<meta charset="UTF-8">
<meta name="viewport" content="width=device-width, initial-scale=1.0">
<link rel="icon" href="data:,">
<title>speedscope</title>
<script type="text/plain" id="licences">{licences}</script>
<style>{css}</style>
</head>
<body>
<script type="text/plain" id="profile">{profile}</script>
<script>
"use strict";
(() => {{
  const append = document.head.appendChild.bind(document.head);
  document.head.appendChild = node => {{
    if (!(node instanceof HTMLScriptElement) || !node.src.startsWith("file:")) return append(node);
    document.head.appendChild = append;
    const profile = document.getElementById("profile").textContent;
    setTimeout(() => window.speedscope.loadFileFromBase64("profile.json.gz", profile));
    return node;
  }};
  const view = location.hash.slice(1).split("&").find(part => part.startsWith("view="));
  history.replaceState(null, "", "#localProfilePath=profile" + (view ? "&" + view : ""));
}})();
</script>
<script>{script}</script>
</body>
</html>
"""


def write(profile: Profile, file: IO[str]) -> None:
    """Write the page. UsageError where speedscope's files are not installed."""
    release = speedscope.release()
    if release is None:
        raise UsageError(
            "speedscope's files are not installed: pip install viewer/speedscope-data (in a "
            "checkout of flamespan), or export -f speedscope for a speedscope from elsewhere"
        )
    with io.StringIO() as text:
        export.write(profile, text)
        packed = gzip.compress(text.getvalue().encode(), mtime=0)
    file.write(
        _TEMPLATE.format(
            licences=_safe(_licences(release)),
            css=_css(release),
            profile=base64.b64encode(packed).decode(),
            script=_safe(_only(release, "speedscope-*.js").read_text("utf-8")),
        )
    )


def _only(release: Path, pattern: str) -> Path:
    (found,) = release.glob(pattern)
    return found


def _licences(release: Path) -> str:
    files = [release.parent / "LICENSE", *sorted(release.glob("*.LICENSE.md"))]
    return "\n\n".join(path.read_text("utf-8") for path in files)


def _css(release: Path) -> str:
    """The style sheet, with the font that it names in it."""

    def inline(match: re.Match[str]) -> str:
        font = base64.b64encode((release / match[1]).read_bytes()).decode()
        return f'url("data:font/woff2;base64,{font}")'

    css = _only(release, "speedscope-*.css").read_text("utf-8")
    return re.sub(r"""url\(["']?(?:\./)?([\w.-]+\.woff2)["']?\)""", inline, css)


def _safe(text: str) -> str:
    """Nothing that ends a script element, or begins a comment in one: it stands in strings only."""
    return re.sub(r"<(?=/script|!--)", r"\\x3c", text, flags=re.I)
