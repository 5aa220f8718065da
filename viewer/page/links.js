// @ts-check
/** Where a line of code can be opened: in the repository, in an editor; and what can be copied. */

import { element } from "./format.js";

/**
 * Addresses of a line; null where the recording or the templates do not tell.
 * @param {any} head of the page's data @param {any} process whose release it is
 * @param {string} file @param {number} line
 * @returns {{repository: string | null, editor: string | null}}
 */
export function addressesOf(head, process, file, line) {
  const { repository, editor } = head.links ?? {};
  const path = head.sources?.[file]?.path ?? "";
  const values = {
    path, file, line: String(Math.max(line, 1)), release: process?.release ?? "",
    version: (process?.release ?? "").split("@").at(-1) ?? "", commit: commitOf(process?.release ?? ""),
  };
  const known = !file.startsWith("<") && Boolean(file);
  return {
    repository: known && path ? fillTemplate(repository, values, /^https?:\/\//) : null,
    editor: known && /^(\/|[A-Za-z]:[\\/])/.test(file) ? fillTemplate(editor, values, /^(?!javascript:|data:|vbscript:)[a-z][a-z0-9+.-]*:/i) : null,
  };
}

/** The part of a release that names a commit, else all of it: `shop@2.4.1+0a1b2c3`. @param {string} release */
function commitOf(release) {
  return release.split(/[@+-]/).reverse().find((part) => /^[0-9a-f]{7,40}$/i.test(part)) ?? release.split("@").at(-1) ?? "";
}

/**
 * @param {string | undefined} template @param {Record<string, string>} values @param {RegExp} allowed
 * @returns {string | null} null where a value that the template needs is not known
 */
function fillTemplate(template, values, allowed) {
  if (!template || !allowed.test(template)) return null;
  let known = true;
  const filled = template.replace(/\{(\w+)\}/g, (whole, name) => {
    if (!(name in values)) return whole;
    if (!values[name]) known = false;
    return values[name].split(/[\\/]/).map(encodeURIComponent).join("/").replace(/^([A-Za-z])%3A\//, "$1:/");
  });
  return known ? filled : null;
}

/**
 * Small links to a line: the repository's and the editor's, those there are.
 * @param {any} head @param {any} process @param {string} file @param {number} line
 * @returns {HTMLElement[]}
 */
export function lineLinks(head, process, file, line) {
  const { repository, editor } = addressesOf(head, process, file, line);
  const place = `${file}:${line}`;
  return [linkTo("repository", repository, `Open ${place} in the repository`), linkTo("editor", editor, `Open ${place} in the editor`)]
    .filter((link) => link !== null)
    .map((link) => {
      link.className = "line-link";
      return link;
    });
}

/** The process whose release a link is about: the transaction's, else the first. */
/** @param {import("./model.js").Model} model @param {number} transaction */
export function processOf(model, transaction) {
  return model.processes[transaction >= 0 ? model.spans.process[transaction] : 0];
}

/** @param {string} label @param {string | null} address @param {string} title @returns {HTMLElement | null} */
export function linkTo(label, address, title) {
  if (!address) return null;
  const web = address.startsWith("http");
  return element("a", { class: "action", href: address, title, ...(web ? { target: "_blank", rel: "noopener noreferrer" } : {}) , text: label });
}

/** A button that copies a text and says so. @param {string} label @param {string} text */
export function copyButton(label, text) {
  const made = element("button", { type: "button", class: "action", "data-copy": text, title: text, text: label });
  made.addEventListener("click", async () => {
    const done = await copyText(text);
    made.textContent = done ? "copied" : "could not be copied";
    setTimeout(() => (made.textContent = label), 1200);
  });
  return made;
}

/** @param {string} text @returns {Promise<boolean>} */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const box = /** @type {HTMLTextAreaElement} */ (element("textarea", { class: "unseen", "aria-hidden": "true" }));
    box.value = text;
    document.body.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    return done;
  }
}
