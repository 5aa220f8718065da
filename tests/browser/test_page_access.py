"""The page for everybody: axe finds nothing, the keyboard reaches all, fingers pan and pinch."""

from __future__ import annotations

import pytest

from helpers.chromium import page_of
from helpers.npmpackage import fetched
from helpers.pageviews import VIEWS

pytestmark = pytest.mark.browser

AXE = "axe-core@4.11.4"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async (tags) => {
  const found = await axe.run(document, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] });
  return found.violations.flatMap((v) => v.nodes.map((n) =>
    `${v.id}: ${n.target.join(" ")}: ${n.failureSummary}`));
}"""


@pytest.fixture(scope="module")
def axe(request):
    return (fetched(request.config, AXE) / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.npm
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_view(axe, tmp_path, scheme, width):
    found = {}
    with page_of("about:blank", width=width, height=900, color_scheme=scheme) as page:
        for view in VIEWS:
            view.open(page, tmp_path)
            page.evaluate(axe)
            said = page.evaluate(RUN, RULES)
            if said:
                found[view.name] = said
    assert not found, "\n".join(f"{name}: {one}" for name, all_ in found.items() for one in all_)
