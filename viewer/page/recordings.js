// @ts-check
/** The list of recordings that a server has, and word of one that has grown. */

import { recordingOf } from "./datasource.js";
import { byId, byteSize, element } from "./format.js";

const LOOK_AGAIN_MS = 5000;

/**
 * Fills the list and goes on looking whether the recording grows; nothing in a file.
 * @param {import("./datasource.js").DataSource} source
 */
export async function listRecordings(source) {
  const place = byId("recordings");
  place.hidden = !source.served;
  if (!source.served) return;
  // An address of another recording, chosen, typed or gone back to, is opened as if it were new.
  window.addEventListener("hashchange", (event) => {
    if (recordingOf(location.hash) === source.id) return;
    event.stopImmediatePropagation();
    location.reload();
  });
  const found = await source.recordings();
  const choose = /** @type {HTMLSelectElement} */ (element("select", { id: "recordings-choose", "aria-label": "Recording" }, [
    element("option", { value: "all", text: found.length > 1 ? `All ${found.length} together` : "The recording" }),
    ...(found.length > 1 ? found : []).map(({ id, title, bytes, files }) => element("option", { value: id, text: `${title}, ${byteSize(bytes)}`, title: files.join(", ") })),
  ]));
  choose.hidden = found.length < 2;
  choose.value = source.id;
  choose.addEventListener("change", () => openRecording(choose.value));
  const grown = element("button", { type: "button", id: "recordings-reload", class: "quiet", text: "Reload", title: "Read the recording again" });
  grown.addEventListener("click", () => location.reload());
  place.replaceChildren(choose, grown);
  watch(source, grown, await source.state());
}

/** A step of the history: back leads to the recording before. @param {string} id the recording to show instead */
function openRecording(id) {
  const view = new URLSearchParams(location.hash.slice(1)).get("v");
  const out = new URLSearchParams({ ...(view ? { v: view } : {}), ...(id === "all" ? {} : { r: id }) });
  location.hash = String(out);
}

/** @param {import("./datasource.js").DataSource} source @param {HTMLElement} button @param {string} known */
function watch(source, button, known) {
  const timer = setInterval(async () => {
    if (document.hidden) return;
    try {
      if ((await source.state()) === known) return;
      button.textContent = "Reload: there is more";
      button.classList.add("grown");
    } catch {
      button.textContent = "flamespan view has ended";
      /** @type {HTMLButtonElement} */ (button).disabled = true;
    }
    clearInterval(timer);
  }, LOOK_AGAIN_MS);
}
