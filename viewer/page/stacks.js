// @ts-check
/** Call trees over functions: recursion, application and system views, exact sums. */

/**
 * A prefix tree of functions. Node 0 is the empty stack; parents come before their children.
 * `outermost` marks the nodes whose function stands nowhere above them on their own stack.
 * @typedef {{parent: Int32Array, fn: Int32Array, depth: Int32Array, outermost: Uint8Array}} Tree
 */

/**
 * What a view does to stacks. `keep` (by function) says who stays, null keeps all; a stack of
 * which nothing stays becomes the one function `standIn`.
 * @typedef {{keep: Uint8Array | null, standIn: number, collapse: "none"|"direct"|"cycles"}} Rule
 */

/** Builds a Tree, one child at a time; children are found through a hash table with open addresses. */
class TreeBuilder {
  /** @param {number} most nodes that are expected at most */
  constructor(most) {
    this.count = 1;
    this.parent = new Int32Array(most + 1);
    this.fn = new Int32Array(most + 1).fill(-1);
    this.slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * most + 2)));
  }

  /** @param {number} parent @param {number} fn @returns {number} the child, made when it is new */
  child(parent, fn) {
    const { slots } = this;
    const mask = slots.length - 1;
    const mixed = Math.imul(Math.imul(parent, 0x9e3779b1) ^ fn, 0x85ebca6b);
    let slot = (mixed ^ (mixed >>> 15)) & mask;
    for (let known = slots[slot]; known; known = slots[slot]) {
      if (this.parent[known] === parent && this.fn[known] === fn) return known;
      slot = (slot + 1) & mask;
    }
    const id = this.count++;
    this.parent[id] = parent;
    this.fn[id] = fn;
    slots[slot] = id;
    return id;
  }

  /** @param {number} node @param {number} fn @returns {number} fn's place on node's stack, or 0 */
  find(node, fn) {
    while (node && this.fn[node] !== fn) node = this.parent[node];
    return node;
  }

  /** @returns {Tree} */
  done() {
    const parent = this.parent.slice(0, this.count);
    const fn = this.fn.slice(0, this.count);
    return { parent, fn, depth: treeDepths(parent), outermost: treeOutermost(parent, fn) };
  }
}

/** @param {Int32Array} parent @returns {Int32Array} */
function treeDepths(parent) {
  const depth = new Int32Array(parent.length);
  for (let i = 1; i < parent.length; i++) depth[i] = depth[parent[i]] + 1;
  return depth;
}

/** @param {Int32Array} parent @param {Int32Array} fn @returns {Uint8Array} */
function treeOutermost(parent, fn) {
  const outermost = new Uint8Array(parent.length);
  for (let i = 1; i < parent.length; i++) {
    let above = parent[i];
    while (above && fn[above] !== fn[i]) above = parent[above];
    outermost[i] = above ? 0 : 1;
  }
  return outermost;
}

/**
 * Applies a rule to stacks: first who stays, then recursion.
 * @param {Int32Array} parent of each node, parents first
 * @param {Int32Array} fn function of each node (node 0: anything)
 * @param {Rule} rule
 * @returns {{tree: Tree, map: Int32Array, moved: Uint8Array}} the new tree, each old node's place
 *   in it, and which old nodes were re-homed (their leaf was taken out)
 */
export function reshape(parent, fn, rule) {
  // Each old node becomes one new node at most, and there is one stand-in.
  const builder = new TreeBuilder(parent.length + 1);
  const map = new Int32Array(parent.length);
  const moved = new Uint8Array(parent.length);
  for (let i = 1; i < parent.length; i++) {
    const above = map[parent[i]];
    if (rule.keep && !rule.keep[fn[i]]) {
      map[i] = above;
      moved[i] = 1;
    } else {
      map[i] = place(builder, above, fn[i], rule.collapse);
    }
  }
  if (rule.keep) {
    for (let i = 1; i < parent.length; i++) {
      if (map[i] === 0) map[i] = builder.child(0, rule.standIn);
    }
  }
  return { tree: builder.done(), map, moved };
}

/** @param {TreeBuilder} builder @param {number} above @param {number} fn @param {string} collapse */
function place(builder, above, fn, collapse) {
  if (collapse === "direct" && above && builder.fn[above] === fn) return above;
  const earlier = collapse === "cycles" ? builder.find(above, fn) : 0;
  return earlier || builder.child(above, fn);
}

/**
 * Own and inclusive sums of a tree.
 * @param {Tree} tree @param {Int32Array} map @param {Float64Array} weights by old node
 * @returns {{self: Float64Array, total: Float64Array}}
 */
export function sumTree(tree, map, weights) {
  const self = new Float64Array(tree.parent.length);
  for (let i = 0; i < weights.length; i++) if (weights[i]) self[map[i]] += weights[i];
  const total = self.slice();
  for (let i = total.length - 1; i > 0; i--) total[tree.parent[i]] += total[i];
  return { self, total };
}

/**
 * Self and total per function; a stack counts once, however often the function stands on it.
 * @param {Tree} tree @param {Float64Array} self @param {Float64Array} total by node
 * @param {number} count number of functions
 * @param {number[] | null} beyond what a recording without stacks adds to a function's self time
 * @returns {{self: Float64Array, total: Float64Array}}
 */
export function sumFunctions(tree, self, total, count, beyond) {
  const own = new Float64Array(count);
  const inclusive = new Float64Array(count);
  for (let i = 1; i < tree.parent.length; i++) {
    own[tree.fn[i]] += self[i];
    if (tree.outermost[i]) inclusive[tree.fn[i]] += total[i];
  }
  beyond?.forEach((ns, fn) => (inclusive[fn] += inclusive[fn] ? ns : 0));
  return { self: own, total: inclusive };
}

/**
 * Time of the stacks on which any wanted function stands, each once.
 * @param {Tree} tree @param {Float64Array} total by node @param {Uint8Array} wanted by function
 */
export function sumMatches(tree, total, wanted) {
  const inside = new Uint8Array(tree.parent.length);
  let sum = 0;
  for (let i = 1; i < inside.length; i++) {
    if (inside[tree.parent[i]]) inside[i] = 1;
    else if (wanted[tree.fn[i]]) {
      inside[i] = 1;
      sum += total[i];
    }
  }
  return sum;
}
