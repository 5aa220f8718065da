// @ts-check
/** Callers and callees of a function, level by level; as `Profile.callers`, `Profile.callees`. */

export const NO_CALLER = -1;
export const ITSELF = -2;

/**
 * One caller or callee (or NO_CALLER, ITSELF) below a path of such. `self` is, of a caller, the
 * function's own time when called from there; of a callee its own time there.
 * @typedef {{key: string, fn: number, self: number, total: number, places: Place[], leaf: boolean}} Neighbour
 * `node` is an outermost call of the function (callers) or a call of the callee; `at` is the caller there.
 * @typedef {{node: number, at: number}} Place
 */

/** The trees above and below one function, made as far as they are opened. */
export class SandwichTrees {
  /** @param {import("./rows.js").Sums} sums whose tree has at most direct repeats folded @param {number} fn */
  constructor(sums, fn) {
    this.fn = fn;
    this.tree = sums.tree;
    this.self = sums.self;
    this.total = sums.total;
    this.outer = outermostCalls(sums.tree, sums.total, fn);
    /** Time of the function itself below each of its outermost calls. */
    this.own = selfBelow(sums.tree, sums.self, fn);
    this.sum = this.outer.reduce((sum, node) => sum + sums.total[node], 0);
    this.children = childrenWithTime(sums.tree, sums.total);
  }

  /** @returns {Neighbour[]} */
  callers() {
    return this.above("", this.outer.map((node) => ({ node, at: node })));
  }

  /** @param {Neighbour} of @returns {Neighbour[]} the callers of a caller */
  callersOf(of) {
    return this.above(of.key, of.places).filter(({ fn }) => fn !== NO_CALLER);
  }

  /** @param {string} key @param {Place[]} places @returns {Neighbour[]} */
  above(key, places) {
    const { tree, total, own } = this;
    const groups = groupPlaces(places, ({ at }) => (tree.parent[at] ? tree.fn[tree.parent[at]] : NO_CALLER));
    return heaviestFirst([...groups].map(([fn, list]) => ({
      key: `${key}/${fn}`, fn,
      self: sumPlaces(list, ({ node }) => own[node]),
      total: sumPlaces(list, ({ node }) => total[node]),
      places: list.map(({ node, at }) => ({ node, at: tree.parent[at] })),
      leaf: !list.some(({ at }) => tree.parent[at] && tree.parent[tree.parent[at]]),
    })));
  }

  /** @returns {Neighbour[]} */
  callees() {
    const rows = this.below("", this.outer);
    const itself = sumPlaces(this.outer, (node) => this.self[node]);
    if (itself) rows.push({ key: "/itself", fn: ITSELF, self: itself, total: itself, places: [], leaf: true });
    return heaviestFirst(rows);
  }

  /** @param {Neighbour} of @returns {Neighbour[]} the callees of a callee */
  calleesOf(of) {
    return heaviestFirst(this.below(of.key, of.places.map(({ node }) => node)));
  }

  /** @param {string} key @param {number[]} nodes @returns {Neighbour[]} */
  below(key, nodes) {
    const { tree, total } = this;
    const called = nodes.flatMap((node) => this.children.get(node) ?? []).map((node) => ({ node, at: node }));
    return [...groupPlaces(called, ({ node }) => tree.fn[node])].map(([fn, places]) => ({
      key: `${key}/${fn}`, fn, places,
      self: this.selfIn(places, fn),
      total: sumPlaces(places, ({ node }) => total[node]),
      leaf: !places.some(({ node }) => this.children.has(node)),
    }));
  }

  /** Own time of `fn` in whole subtrees: recursion counts, too. @param {Place[]} places @param {number} fn */
  selfIn(places, fn) {
    let sum = 0;
    const waiting = places.map(({ node }) => node);
    while (waiting.length) {
      const node = /** @type {number} */ (waiting.pop());
      if (this.tree.fn[node] === fn) sum += this.self[node];
      for (const child of this.children.get(node) ?? []) waiting.push(child);
    }
    return sum;
  }
}

/** @param {import("./stacks.js").Tree} tree @param {Float64Array} total @param {number} fn @returns {number[]} */
function outermostCalls(tree, total, fn) {
  /** @type {number[]} */ const found = [];
  for (let i = 1; i < tree.fn.length; i++) if (tree.fn[i] === fn && tree.outermost[i] && total[i]) found.push(i);
  return found;
}

/** @param {import("./stacks.js").Tree} tree @param {Float64Array} self @param {number} fn */
function selfBelow(tree, self, fn) {
  const own = new Float64Array(tree.fn.length);
  for (let i = own.length - 1; i > 0; i--) {
    if (tree.fn[i] === fn) own[i] += self[i];
    own[tree.parent[i]] += own[i];
  }
  return own;
}

/** @param {import("./stacks.js").Tree} tree @param {Float64Array} total @returns {Map<number, number[]>} */
function childrenWithTime(tree, total) {
  /** @type {Map<number, number[]>} */ const children = new Map();
  for (let i = 1; i < tree.parent.length; i++) {
    if (!total[i]) continue;
    const known = children.get(tree.parent[i]);
    if (known) known.push(i);
    else children.set(tree.parent[i], [i]);
  }
  return children;
}

/** @param {Place[]} places @param {(place: Place) => number} whose @returns {Map<number, Place[]>} */
function groupPlaces(places, whose) {
  /** @type {Map<number, Place[]>} */ const groups = new Map();
  for (const place of places) {
    const fn = whose(place);
    const known = groups.get(fn);
    if (known) known.push(place);
    else groups.set(fn, [place]);
  }
  return groups;
}

/** @template T @param {T[]} items @param {(item: T) => number} value */
function sumPlaces(items, value) {
  return items.reduce((sum, item) => sum + value(item), 0);
}

/** @param {Neighbour[]} rows @returns {Neighbour[]} most time first */
function heaviestFirst(rows) {
  return rows.filter(({ total }) => total).sort((a, b) => b.total - a.total || a.fn - b.fn);
}
