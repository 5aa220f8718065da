"""What eyes would see on a page: texts on each other, and texts cut without an ellipsis."""

from __future__ import annotations

_TEXTS = """
const seen = { visibilityProperty: true, opacityProperty: true };
const inSight = (element) => element.checkVisibility(seen)
  && !element.closest(".unseen, noscript, select, script, style, dialog:not([open])");
const dialog = document.querySelector("dialog[open]");
const cut = (box, by) => ({
  left: Math.max(box.left, by.left), right: Math.min(box.right, by.right),
  top: Math.max(box.top, by.top), bottom: Math.min(box.bottom, by.bottom) });
const texts = [];
for (const element of (dialog ?? document.body).querySelectorAll("*")) {
  const own = [...element.childNodes].filter((node) => node.nodeType === 3 && node.data.trim());
  if (!own.length || !inSight(element)) continue;
  const range = document.createRange();
  range.setStartBefore(own[0]);
  range.setEndAfter(own.at(-1));
  for (const full of range.getClientRects()) {
    let box = full, scrolls = false, dots = false;
    for (let at = element; at && at !== document.body; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.overflowX === "visible") continue;
      if (style.overflowX !== "hidden" && style.overflowX !== "clip") scrolls = true;
      else if (style.textOverflow === "ellipsis") dots = true;
      box = cut(box, at.getBoundingClientRect());
    }
    box = cut(box, { left: 0, top: 0, right: innerWidth, bottom: innerHeight });
    if (box.right - box.left < 1 || box.bottom - box.top < 1) continue;
    const said = own.map((node) => node.data).join("").trim().slice(0, 60);
    texts.push({ element, full, box, scrolls, dots, said });
  }
}
"""

OVERLAPS = f"""() => {{ {_TEXTS}
const found = [];
texts.forEach((a, i) => texts.slice(i + 1).forEach((b) => {{
  if (a.element.contains(b.element) || b.element.contains(a.element)) return;
  const both = cut(a.box, b.box);
  if (both.right - both.left < 2 || both.bottom - both.top < 4) return;
  found.push(`"${{a.said}}" lies on "${{b.said}}"`);
}}));
return found; }}"""

CUT_WITHOUT_DOTS = f"""() => {{ {_TEXTS}
return texts.filter((t) => !t.dots && !t.scrolls
    && (t.full.right - t.box.right > 1.5 || t.box.left - t.full.left > 1.5))
  .map((t) => [t.said, t.element.className || t.element.id || t.element.tagName])
  .map(([said, where]) => `"${{said}}" in ${{where}}`); }}"""


def check_looks(page) -> None:
    """No text lies on another one; what does not fit ends with an ellipsis, or scrolls."""
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate(CUT_WITHOUT_DOTS) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
