// @ts-check
/** The table's rows: top-down and bottom-up call trees, opened lazily; no DOM. */

/**
 * @typedef {Object} Row
 * @property {string} key functions from the first level down to this row
 * @property {number} fn
 * @property {number} level 1 for the first level
 * @property {number} self ns
 * @property {number} total ns
 * @property {number} node top-down: the node
 * @property {Ends[]} ends bottom-up, from level 2 on: where on the stacks this row's calls lie
 * @property {boolean} leaf nothing to open
 */

/**
 * Bottom-up: a stack node where the first-level function stands, and its caller at this row.
 * @typedef {{node: number, at: number}} Ends
 * @typedef {ReturnType<import("./model.js").Model["tabulate"]>} Sums
 * @typedef {(a: Row, b: Row) => number} Order
 */

/** Makes rows of one table; children are made when they are asked for and kept. */
export class RowSource {
  /** @param {Sums} sums @param {"bottom-up"|"top-down"} direction @param {Order} order */
  constructor(sums, direction, order) {
    this.sums = sums;
    this.direction = direction;
    this.order = order;
    /** @type {Map<string, Row[]>} */ this.made = new Map();
    this.first = firstChildren(sums.tree.parent);
    this.place = direction === "bottom-up" ? depthFirst(sums.tree.parent) : null;
  }

  /** @returns {Row[]} */
  roots() {
    return this.keep("", () => (this.direction === "top-down" ? this.topDown(0, "", 1) : this.functions()));
  }

  /** @param {Row} row @returns {Row[]} */
  children(row) {
    return this.keep(row.key, () =>
      this.direction === "top-down" ? this.topDown(row.node, row.key, row.level + 1) : this.callers(row),
    );
  }

  /** @param {string} key @param {() => Row[]} make */
  keep(key, make) {
    let rows = this.made.get(key);
    if (!rows) this.made.set(key, (rows = make().sort(this.order)));
    return rows;
  }

  /** @param {number} node @param {string} above @param {number} level @returns {Row[]} */
  topDown(node, above, level) {
    const { tree, self, total } = this.sums;
    const { next } = this.first;
    /** @type {Row[]} */ const rows = [];
    for (let child = this.first.child[node]; child; child = next[child]) {
      if (!total[child]) continue;
      const fn = tree.fn[child];
      const leaf = self[child] === total[child];
      rows.push({ key: `${above}/${fn}`, fn, level, self: self[child], total: total[child], node: child, ends: [], leaf });
    }
    return rows;
  }

  /** Every function with self time; its total is the function's, as in the functions table. */
  functions() {
    const { tree, self, byFunction } = this.sums;
    const called = new Uint8Array(byFunction.self.length);
    for (let node = 1; node < tree.fn.length; node++) if (self[node] && tree.parent[node]) called[tree.fn[node]] = 1;
    /** @type {Row[]} */ const rows = [];
    byFunction.self.forEach((own, fn) => {
      if (own) rows.push({ key: `/${fn}`, fn, level: 1, node: 0, ends: [], self: own, total: byFunction.total[fn], leaf: !called[fn] });
    });
    return rows;
  }

  /** Where a function stands: many, so they are looked up when its row is opened. @param {number} fn @returns {Ends[]} */
  places(fn) {
    const { tree, total } = this.sums;
    /** @type {Ends[]} */ const ends = [];
    for (let node = 1; node < tree.fn.length; node++) if (tree.fn[node] === fn && total[node]) ends.push({ node, at: node });
    return ends;
  }

  /** @param {Ends[]} ends */
  hasCallers(ends) {
    return ends.some(({ node, at }) => this.sums.tree.parent[at] > 0 && this.sums.self[node] > 0);
  }

  /**
   * The callers of a bottom-up row. Self: the part of the first-level function's self time that
   * came this way. Total: time of stacks on which these calls stand, each counted once.
   * @param {Row} row @returns {Row[]}
   */
  callers(row) {
    const { tree, self } = this.sums;
    /** @type {Map<number, Ends[]>} */ const groups = new Map();
    for (const { node, at } of row.level === 1 ? this.places(row.fn) : row.ends) {
      const caller = tree.parent[at];
      if (!caller) continue;
      const fn = tree.fn[caller];
      if (!groups.has(fn)) groups.set(fn, []);
      /** @type {Ends[]} */ (groups.get(fn)).push({ node, at: caller });
    }
    /** @type {Row[]} */ const rows = [];
    for (const [fn, ends] of groups) {
      const own = ends.reduce((sum, end) => sum + self[end.node], 0);
      const key = `${row.key}/${fn}`;
      const leaf = !this.hasCallers(ends);
      if (own) rows.push({ key, fn, level: row.level + 1, node: 0, ends, self: own, total: this.once(ends), leaf });
    }
    return rows;
  }

  /** Inclusive time of nodes, leaving out those that stand below another one of them. @param {Ends[]} ends */
  once(ends) {
    const { place, size } = /** @type {{place: Int32Array, size: Int32Array}} */ (this.place);
    const nodes = ends.map((end) => end.node).sort((a, b) => place[a] - place[b]);
    let sum = 0;
    let reach = -1;
    for (const node of nodes) {
      if (place[node] < reach) continue;
      reach = place[node] + size[node];
      sum += this.sums.total[node];
    }
    return sum;
  }

  /** The rows that are in sight when the rows in `open` are opened. @param {Set<string>} open */
  visible(open) {
    /** @type {Row[]} */ const out = [];
    /** @param {Row[]} rows */
    const visit = (rows) => {
      for (const row of rows) {
        out.push(row);
        if (!row.leaf && open.has(row.key)) visit(this.children(row));
      }
    };
    visit(this.roots());
    return out;
  }
}

/** @param {Int32Array} parent @returns {{child: Int32Array, next: Int32Array}} first child and next sibling */
function firstChildren(parent) {
  const child = new Int32Array(parent.length);
  const next = new Int32Array(parent.length);
  for (let i = parent.length - 1; i > 0; i--) {
    next[i] = child[parent[i]];
    child[parent[i]] = i;
  }
  return { child, next };
}

/** @param {Int32Array} parent @returns {{place: Int32Array, size: Int32Array}} depth-first places */
function depthFirst(parent) {
  const size = new Int32Array(parent.length).fill(1);
  for (let i = parent.length - 1; i > 0; i--) size[parent[i]] += size[i];
  const place = new Int32Array(parent.length);
  const used = new Int32Array(parent.length);
  for (let i = 1; i < parent.length; i++) {
    const above = parent[i];
    place[i] = place[above] + 1 + used[above];
    used[above] += size[i];
  }
  return { place, size };
}

/**
 * Largest first (or smallest), so that the order never depends on chance: of functions with one self
 * time the one with more total time first, as in the functions table, then by name.
 * @param {"self"|"total"|"name"} sort @param {boolean} ascending
 * @param {(fn: number) => string} label @returns {Order}
 */
export function rowOrder(sort, ascending, label) {
  const sign = ascending ? 1 : -1;
  /** @param {Row} a @param {Row} b */
  const byName = (a, b) => {
    const [one, other] = [label(a.fn), label(b.fn)];
    return one < other ? -1 : one > other ? 1 : 0;
  };
  return (a, b) => {
    if (sort === "name") return (ascending ? byName(a, b) : -byName(a, b)) || b.total - a.total;
    const byTotal = sort === "self" && a.level === 1 ? sign * (a.total - b.total) : 0;
    return sign * (a[sort] - b[sort]) || byTotal || byName(a, b);
  };
}

/** What functions are ordered by where their times are one: name, module, file, line. */
/** @param {import("./model.js").Model} model @returns {(fn: number) => string} */
export function placeLabel({ functions: { name, module, file }, firstLine }) {
  return (fn) => [name[fn], module[fn], file[fn], String(firstLine[fn]).padStart(9)].join("\0");
}
