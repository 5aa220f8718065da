// @ts-check
/** Focus and hide: which stacks stay, and what of them; as `Profile.focus` and `Profile.hide`. */

/**
 * `focus` (-1: none): only stacks with this function, from its outermost call on. `hide`: functions
 * that are taken out; their self time goes to the nearest caller that is left.
 * @typedef {{focus: number, hide: number[]}} Cut
 * `map` says where each recorded node went; `inside` which stacks stay (null: all).
 * @typedef {{parent: Int32Array, fn: Int32Array, map: Int32Array | null, inside: Uint8Array | null}} CutStacks
 */

/** @type {Cut} */
export const WHOLE = { focus: -1, hide: [] };

/** @param {Cut} cut */
export function cutKey(cut) {
  return cut.focus < 0 && !cut.hide.length ? "" : `${cut.focus} ${cut.hide}`;
}

/**
 * @param {Int32Array} parent of each recorded node, parents first
 * @param {Int32Array} fn function of each node
 * @param {Cut} cut
 * @param {number} standIn the function of stacks of which nothing is left
 * @returns {CutStacks}
 */
export function cutStacks(parent, fn, cut, standIn) {
  if (!cutKey(cut)) return { parent, fn, map: null, inside: null };
  const inside = cut.focus < 0 ? null : insideOf(parent, fn, cut.focus);
  const hidden = new Set(cut.hide);
  /** @type {number[]} */ const above = [0];
  /** @type {number[]} */ const functions = [-1];
  const map = new Int32Array(parent.length);
  let bare = 0;
  for (let i = 1; i < parent.length; i++) {
    if (inside && !inside[i]) continue;
    const place = map[parent[i]];
    if (!hidden.has(fn[i])) {
      // What hangs from a stand-in stood on hidden frames alone: it starts a stack of its own.
      map[i] = above.push(place === bare ? 0 : place) - 1;
      functions.push(fn[i]);
    } else if (place) {
      map[i] = place;
    } else {
      if (!bare) {
        bare = above.push(0) - 1;
        functions.push(standIn);
      }
      map[i] = bare;
    }
  }
  return { parent: Int32Array.from(above), fn: Int32Array.from(functions), map, inside };
}

/** @param {Int32Array} parent @param {Int32Array} fn @param {number} focus */
function insideOf(parent, fn, focus) {
  const inside = new Uint8Array(parent.length);
  for (let i = 1; i < parent.length; i++) inside[i] = inside[parent[i]] || +(fn[i] === focus);
  return inside;
}

/**
 * A view of cut stacks as one of the recorded stacks.
 * @template {{map: Int32Array, moved: Uint8Array}} View
 * @param {CutStacks} cut @param {View} view @returns {View}
 */
export function throughCut(cut, view) {
  const { map } = cut;
  if (!map) return view;
  return { ...view, map: map.map((node) => view.map[node]), moved: Uint8Array.from(map, (node) => view.moved[node]) };
}
