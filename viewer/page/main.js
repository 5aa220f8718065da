// @ts-check
/** Starts the page: gets its data, then shows the view that the address names. */

import { AggregateView } from "./aggregate.js";
import { App } from "./app.js";
import { CompareView } from "./compare.js";
import { byId } from "./format.js";
import { Model } from "./model.js";
import { listRecordings } from "./recordings.js";
import { listenSaving } from "./saving.js";
import { Source } from "./source.js";
import { writeHash } from "./state.js";
import { LateView, viewName, Views } from "./views.js";

/** The transaction view among others; samples that are not there yet are asked for. */
class PageApp extends App {
  /** @param {any} data */
  static model(data) {
    return Object.assign(new Model(data), { data });
  }

  load() {
    // The address may belong to another view: this one then waits until it is shown.
    if (viewName() !== "transaction") return;
    const asked = new URLSearchParams(location.hash.slice(1)).get("t");
    const first = asked === null ? this.base.transaction : asked === "all" ? -2 : asked === "none" ? -1 : Number(asked);
    this.loading = this.need(first, () => super.load());
  }

  save() {
    if (viewName() !== "transaction") return;
    this.written = writeHash(this.state, this.base) + page.source.suffix;
    if (this.written !== location.hash) history.replaceState(null, "", this.written);
  }

  /** @param {number} transaction */
  choose(transaction) {
    this.loading = this.need(transaction, () => super.choose(transaction));
  }

  /** @param {number} transaction @param {() => void} then */
  need(transaction, then) {
    const { head } = this.model;
    if (!head.piecewise || page.held === transaction) return then();
    return (async () => {
      byId("main").setAttribute("aria-busy", "true");
      try {
        const piece = await page.source.samples(transaction);
        takeSamples(this.model, piece);
        page.held = transaction;
        then();
      } catch (error) {
        showFailure(error);
      }
      byId("main").removeAttribute("aria-busy");
    })();
  }

  /** Called when the view is shown again. */
  again() {
    if (location.hash !== this.written) this.load();
  }
}

/** @type {{source: Source, held: number | null}} */
const page = { source: /** @type {any} */ (null), held: null };

/**
 * Puts samples and stacks in the place of those that a model has.
 * @param {Model & {data?: any}} model @param {any} piece
 */
function takeSamples(model, piece) {
  /** @param {"ints"|"doubles"|"bytes"} kind */
  const either = (kind) => (/** @type {string} */ name) => (/^(stack|sample|gap_row|gap_ns|thread_first)/.test(name) ? piece : model.data)[kind](name);
  const { head } = model.data;
  const joined = { ...model.data, ints: either("ints"), doubles: either("doubles"), bytes: either("bytes") };
  const { spans, gil, ...fresh } = new Model({ ...joined, head });
  Object.assign(model, fresh);
}

/** @param {unknown} error */
function showFailure(error) {
  byId("failure").hidden = false;
  byId("failure").textContent = `This page could not be shown: ${error instanceof Error ? error.message : error}`;
}

async function main() {
  try {
    const source = new Source();
    page.source = source;
    if (!location.hash && source.first) history.replaceState(null, "", `#${source.first}`);
    document.body.dataset.view = viewName();
    const data = await source.recording();
    const app = data ? new PageApp(PageApp.model(data)) : null;
    /** @type {any} */ const views = {};
    if (app) {
      views.transaction = { show: () => app.again(), key: () => false };
      views.aggregate = new LateView(() => new AggregateView(app.model, source));
    }
    if (!app || source.served) views.compare = new LateView(() => new CompareView(source, app?.model ?? null));
    if (!app) showTitles(source);
    listenSaving(app, views, source);
    await Promise.all([app?.loading, listRecordings(source)]);
    new Views(views, source.suffix);
    document.body.dataset.ready = "yes";
  } catch (error) {
    showFailure(error);
    throw error;
  }
}

/** A comparison alone has no recording that gives the page its title. */
/** @param {Source} source */
async function showTitles(source) {
  const { sides } = await source.comparison({});
  const names = sides.map((/** @type {any} */ side) => side.title);
  byId("title").textContent = [...new Set(names)].join(" → ");
  document.title = `${byId("title").textContent} – flamespan`;
}

main();
