// @ts-check
/** What a search for functions finds. */

/**
 * Functions whose name, module or file holds every word of the query, in capitals or not.
 * @param {{name: string[], module: string[], file: string[]}} functions @param {string} query
 * @returns {Uint8Array | null} 1 for each function found; null: nothing is searched for
 */
export function findFunctions({ name, module, file }, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return null;
  return Uint8Array.from(name, (text, fn) => {
    const whole = `${text} ${module[fn]} ${file[fn]}`.toLowerCase();
    return +words.every((word) => whole.includes(word));
  });
}
