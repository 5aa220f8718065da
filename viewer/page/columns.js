// @ts-check
/** The page's data as it is embedded: base64 → gzip → one JSON head and binary columns. */

/**
 * @typedef {{name: string, type: string, scale: number, offset: number, length: number}} ColumnPlace
 * @typedef {{head: any, ints: (name: string) => Int32Array, doubles: (name: string) => Float64Array,
 *            bytes: (name: string) => Uint8Array}} PageData
 */

/** @type {Record<string, any>} */
const COLUMN_TYPES = {
  u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, i32: Int32Array, f64: Float64Array,
};

/**
 * Reads the container that pagedata.py writes (its docstring tells the layout).
 * @param {Uint8Array} bytes unpacked container
 * @returns {PageData}
 */
export function readContainer(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headLength = view.getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headLength)));
  const start = 8 + Math.ceil(headLength / 8) * 8;
  /** @type {Map<string, ColumnPlace>} */
  const places = new Map(head.columns.map((/** @type {ColumnPlace} */ c) => [c.name, c]));
  /** @param {string} name */
  const stored = (name) => {
    const place = places.get(name);
    if (!place) throw new Error(`the page's data has no column "${name}"`);
    const kind = COLUMN_TYPES[place.type];
    const from = bytes.byteOffset + start + place.offset;
    return { values: new kind(bytes.buffer, from, place.length), scale: place.scale };
  };
  /** @param {any} kind @param {string} name */
  const widened = (kind, name) => {
    const { values, scale } = stored(name);
    const wide = kind.from(values);
    if (scale !== 1) for (let i = 0; i < wide.length; i++) wide[i] *= scale;
    return wide;
  };
  return {
    head,
    ints: (name) => widened(Int32Array, name),
    doubles: (name) => widened(Float64Array, name),
    bytes: (name) => widened(Uint8Array, name),
  };
}

/**
 * @param {string} text base64 of the gzipped container
 * @returns {Promise<PageData>}
 */
export async function unpack(text) {
  return readContainer(await inflate(fromBase64(text.trim())));
}

/** @param {ArrayBuffer | Uint8Array<ArrayBuffer>} packed by gzip */
export async function inflate(packed) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
export function fromBase64(text) {
  const { fromBase64: native } = /** @type {any} */ (Uint8Array);
  if (native) return native.call(Uint8Array, text);
  const packed = atob(text);
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = packed.charCodeAt(i);
  return bytes;
}
