// Zoom, search and details of a flame graph picture. Without it the picture is whole, only still.
"use strict";
(() => {
  const svg = document.documentElement;
  if (svg.tagName !== "svg") return;
  const $ = (name) => svg.querySelector(name);
  const MARGIN = 10, LETTER = 7.25, SMALLEST = 0.15;
  const status = $(".status"), input = $("input"), out = $("#out"), clear = $("#clear");
  const boxes = [...svg.querySelectorAll(".boxes .b")].map((group) => {
    const [x0, x1] = group.dataset.x.split(" ").map(Number);
    const [rect, text] = [group.querySelector("rect"), group.querySelector("text")];
    const about = group.querySelector("title").textContent;
    return { group, rect, text, x0, x1, y: Number(rect.getAttribute("y")), name: group.dataset.name, about };
  });
  const of = new Map(boxes.map((box) => [box.group, box]));
  const whole = { x0: 0, x1: 1, y: -1, name: "" };
  let zoom = whole, picked = "";

  function draw() {
    const width = Math.max(svg.clientWidth || Number(svg.getAttribute("width")), 300);
    const scale = (width - 2 * MARGIN) / (zoom.x1 - zoom.x0);
    for (const box of boxes) {
      const above = box.y < zoom.y && box.x0 <= zoom.x0 && box.x1 >= zoom.x1;
      const left = Math.max((box.x0 - zoom.x0) * scale, 0);
      const right = Math.min((box.x1 - zoom.x0) * scale, width - 2 * MARGIN);
      const seen = above || (box.y >= zoom.y && right - left >= SMALLEST);
      box.group.style.display = seen ? "" : "none";
      if (!seen) continue;
      box.group.classList.toggle("past", above);
      box.rect.setAttribute("x", (left + MARGIN).toFixed(2));
      box.rect.setAttribute("width", (right - left).toFixed(2));
      box.text.setAttribute("x", (left + MARGIN + 4).toFixed(2));
      const room = Math.floor((right - left - 7) / LETTER);
      box.text.textContent = box.name.length <= room ? box.name : room > 2 ? `${box.name.slice(0, room - 1)}…` : "";
    }
    $(".tools").setAttribute("x", width - MARGIN - 460);
    out.disabled = zoom === whole;
    if (history.replaceState && location.protocol !== "data:") svg.dataset.zoom = zoom.name;
  }

  /** Share of the time below the boxes that match, nested ones counted once. */
  function search() {
    const wanted = input.value.trim();
    let test = null;
    if (wanted) {
      const plain = wanted.toLowerCase();
      test = (box) => box.about.toLowerCase().includes(plain);
      try {
        const pattern = new RegExp(wanted, "i");
        test = (box) => pattern.test(box.about);
      } catch {
        // Not a pattern: the plain text is looked for.
      }
    } else if (picked) test = (box) => box.group.classList.contains(picked);
    svg.classList.toggle("searching", Boolean(test));
    clear.disabled = !test;
    const found = boxes.filter((box) => {
      const hit = Boolean(test) && !box.group.classList.contains("fold") && test(box);
      box.group.classList.toggle("found", hit);
      return hit;
    });
    if (!test) return say("");
    let share = 0, reach = 0;
    for (const box of found.sort((a, b) => a.x0 - b.x0 || b.x1 - a.x1)) {
      share += Math.max(box.x1 - Math.max(box.x0, reach), 0);
      reach = Math.max(reach, box.x1);
    }
    const what = `${found.length} ${found.length === 1 ? "box" : "boxes"}`;
    say(found.length ? `${(share * 100).toFixed(1)} % of the time is in what was found (${what})` : "Nothing found");
  }

  let rest = "";
  function say(text) {
    rest = text;
    status.textContent = text || status.dataset.rest;
  }

  function show(box) {
    zoom = box;
    draw();
  }

  svg.addEventListener("click", (event) => {
    const group = event.target.closest(".b");
    if (!group) return;
    if (of.has(group)) return show(of.get(group));
    picked = picked === group.dataset.pick ? "" : group.dataset.pick;
    input.value = "";
    search();
  });
  svg.addEventListener("mouseover", (event) => {
    const box = of.get(event.target.closest(".b"));
    status.textContent = box ? box.about.replaceAll("\n", "  ·  ") : rest || status.dataset.rest;
  });
  input.addEventListener("input", search);
  out.addEventListener("click", () => show(whole));
  clear.addEventListener("click", () => {
    input.value = picked = "";
    search();
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      if (document.activeElement === input && input.value) clear.click();
      else show(whole);
      input.blur();
    } else if ((event.key === "/" || (event.key === "f" && (event.ctrlKey || event.metaKey))) && document.activeElement !== input) {
      event.preventDefault();
      input.focus();
    }
  });
  addEventListener("resize", draw);
  svg.removeAttribute("viewBox");
  svg.setAttribute("width", "100%");
  svg.classList.add("live");
  draw();
  search();
})();
