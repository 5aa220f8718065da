// @ts-check
/** Starts the page: gets its data, then shows the view that the address names. */

import { AggregateView } from "./aggregate.js";
import { App } from "./app.js";
import { CompareView } from "./compare.js";
import { showFailure } from "./notices.js";
import { Model } from "./model.js";
import { listRecordings } from "./recordings.js";
import { listenSaving } from "./saving.js";
import { DataSource } from "./datasource.js";
import { showComparedTitles } from "./titles.js";
import { LateView, viewName, Views } from "./views.js";

async function main() {
  try {
    const source = new DataSource();
    if (!location.hash && source.first) history.replaceState(null, "", `#${source.first}`);
    document.body.dataset.view = viewName();
    const data = await source.recording();
    const app = data ? new App(new Model(data), source, data) : null;
    /** @type {any} */ const views = {};
    if (app) {
      views.transaction = app;
      views.aggregate = new LateView(() => new AggregateView(app.model, source));
    }
    if (!app || source.served) views.compare = new LateView(() => new CompareView(source, app?.model ?? null));
    if (!app) showComparedTitles(source);
    listenSaving(app, views, source);
    await Promise.all([app?.loading, listRecordings(source)]);
    new Views(views, source.suffix);
    document.body.dataset.ready = "yes";
  } catch (error) {
    showFailure(error);
    throw error;
  }
}

main();
