// @ts-check
/** Which colour a function or a span has: names of CSS custom properties, stable between runs. */

export const ORIGIN_NAMES = ["application", "library", "stdlib", "runtime"];
export const APPLICATION_SHADES = 5;

/** @param {string} text */
function hashText(text) {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return hash >>> 0;
}

/**
 * Colour class of every function: 0..4 application, 5 library, 6 stdlib, 7 runtime.
 * @param {{origin: Uint8Array, functions: {name: string[], file: string[]}}} model
 * @returns {Uint8Array}
 */
export function functionShades(model) {
  const { name, file } = model.functions;
  return model.origin.map((origin, fn) =>
    origin === 0 ? hashText(`${file[fn]} ${name[fn]}`) % APPLICATION_SHADES : APPLICATION_SHADES - 1 + origin,
  );
}

/** Custom properties of the classes above, in order. */
export const SHADES = ["app-0", "app-1", "app-2", "app-3", "app-4", "library", "stdlib", "runtime"];

const OP_HUES = 7;
/** @type {[RegExp, number][]} */
const OP_RULES = [
  [/^(db|sql|sqlite|postgres|mysql|orm)/, 0],
  [/^(http\.server|http\.request|asgi|wsgi|server)/, 1],
  [/^(http|rpc|grpc|net|client)/, 2],
  [/^(template|view|render|ui)/, 3],
  [/^(cache|redis|memcache)/, 4],
  [/^(queue|task|celery|job|worker)/, 5],
  [/^(serialize|json|file|io)/, 6],
];

/** @param {string} op @returns {string} custom property of the op's colour */
export function opColor(op) {
  const rule = OP_RULES.find(([pattern]) => pattern.test(op));
  return `op-${rule ? rule[1] : hashText(op) % OP_HUES}`;
}
