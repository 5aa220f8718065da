// @ts-check
/** What the page calls itself, at its top and in the browser's tab. */

import { byId, dateTime, duration, grouped } from "./format.js";

/** @param {string} title @param {string[]} about */
function showTitle(title, about) {
  byId("title").textContent = title;
  byId("about").textContent = about.filter(Boolean).join(" · ");
  document.title = `${title} – flamespan`;
}

/** The recording's name, when it was made and how much is in it. @param {import("./model.js").Model} model */
export function showRecordingTitle({ head, processes, end }) {
  const [first] = processes;
  showTitle(head.title, [first?.release, first?.environment, dateTime(head.origin_ns, 0), duration(end), `${grouped(head.samples)} samples`]);
}

/** The sides' names, where a comparison is all there is. @param {import("./datasource.js").DataSource} source */
export async function showComparedTitles(source) {
  const { sides } = await source.comparison({});
  showTitle([...new Set(sides.map((/** @type {any} */ side) => side.title))].join(" → "), []);
}
