// Page data from drawn samples, the way tests/helpers/drawn.py draws them: ["main;a:3;b", 10, "idle"].

export const HIDDEN = "<hidden>";
export const SYSTEM = "<system>";
export const APPLICATION = "<application>";
const STATES = { running: 1, idle: 3, awaiting: 5, loop_wait: 6 };

/** @returns what columns.js gives for a file: {head, ints, doubles, bytes} */
export function draw(threads, origin = {}, { transaction } = {}) {
  const names = [];
  const frames = [];
  const nodes = [[0, 0]];
  const known = new Map();
  const intern = (list, key, value) => {
    if (!known.has(key)) known.set(key, list.push(value) - 1);
    return known.get(key);
  };
  const frameOf = (text) => {
    const [name, line = "1"] = text.split(":");
    const fn = intern(names, `f${name}`, name);
    return intern(frames, `l${fn}:${line}`, [fn, Number(line)]);
  };
  const rows = [];
  const first = [0];
  for (const samples of threads) {
    let time = 0;
    for (const [stack, wall, state = "running"] of samples) {
      let node = 0;
      for (const frame of stack.split(";")) {
        const id = frameOf(frame);
        node = intern(nodes, `n${node}/${id}`, [node, id]);
      }
      time += wall;
      const inside = transaction && time > transaction.start && time <= transaction.end;
      rows.push({ node, wall, state: STATES[state], span: inside ? 0 : -1 });
    }
    first.push(rows.length);
  }
  frames.push([names.push(HIDDEN) - 1, 0], [names.push(SYSTEM) - 1, 0], [names.push(APPLICATION) - 1, 0]);
  const spans = transaction ? [transaction] : [];
  const columns = {
    function_origin: names.map((n) => (n === SYSTEM || n === HIDDEN || origin[n] === "system" ? 2 : 0)),
    function_line: names.map(() => 1),
    frame_function: frames.map(([fn]) => fn),
    frame_line: frames.map(([, line]) => line),
    stack_parent: nodes.map(([parent]) => parent),
    stack_frame: nodes.map(([, frame]) => frame),
    thread_first_row: first,
    sample_wall_ns: rows.map((r) => r.wall),
    sample_cpu_ns: rows.map((r) => r.wall),
    sample_stack: rows.map((r) => r.node),
    sample_span: rows.map((r) => r.span),
    sample_state: rows.map((r) => r.state),
    sample_flags: rows.map(() => 0),
    gap_row: [], gap_ns: [],
    span_start_ns: spans.map((s) => s.start),
    span_end_ns: spans.map((s) => s.end),
  };
  for (const name of ["gil_span", "gil_holder", "gil_place", "gil_wait_ns"]) columns[name] = [];
  for (const name of ["exclusive_ns", "name", "op", "description", "status", "thread", "process", "open", "transaction", "id"]) {
    columns[`span_${name}`] = spans.map(() => 0);
  }
  columns.span_parent = spans.map(() => -1);
  columns.span_in_view = spans.map(() => 1);
  const blank = names.map(() => "");
  return {
    head: {
      functions: { name: names, file: blank, module: blank }, processes: [], gaps: [], end_ns: 1e6, origin_ns: "0",
      threads: threads.map(() => ({ name: "t" })), spans: { strings: [""], tags: {}, measurements: {} },
    },
    ints: (name) => Int32Array.from(columns[name]),
    doubles: (name) => Float64Array.from(columns[name]),
    bytes: (name) => Uint8Array.from(columns[name]),
  };
}

/** {name: [self, total]} of the functions with time. */
export function functionTimes(model, sums) {
  const out = {};
  model.functions.name.forEach((name, fn) => {
    const total = sums.byFunction.total[fn];
    if (total) out[name] = [sums.byFunction.self[fn], total];
  });
  return out;
}

/** {"a;b": self} of the shown stacks with self time. */
export function folded(model, sums) {
  const out = {};
  for (let node = 1; node < sums.tree.fn.length; node++) {
    if (!sums.self[node]) continue;
    const path = [];
    for (let at = node; at; at = sums.tree.parent[at]) path.unshift(model.functions.name[sums.tree.fn[at]]);
    out[path.join(";")] = sums.self[node];
  }
  return out;
}
