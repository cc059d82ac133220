// Draws a proof from its plan: what goes in, the steps with their bytes and times, and the parts by name.
const SVG = "http://www.w3.org/2000/svg";

/** The steps as the driver takes them; the words are for people. */
export const STEPS = {
  setup: ["Preparation", "Reading the card, laying out the plan"],
  commitments: ["Sealed values", "Every intermediate number of the calculation, sealed"],
  lookups: ["Table look-ups", "Rounding, ranges, exponentials: each is a row of a public table"],
  products: ["Matrix products", "Every multiplication by the model's weights"],
  columns: ["Gathering", "All claims about sealed numbers become one"],
  opening: ["Opening", "That one claim is checked against card and sealed values"],
  ledger: ["Hidden equations", "The hidden numbers satisfy all equations"],
};

const node = (name, attributes = {}, text) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
};
const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};
export const thousands = (number) => Math.round(number).toLocaleString("en");
const milliseconds = (time) => (time === undefined ? "–" : `${time < 10 ? time.toFixed(1) : Math.round(time)} ms`);
const sum = (list, of) => list.reduce((total, entry) => total + of(entry), 0);
const count = (number, thing) => `${number} ${thing}${number === 1 ? "" : "s"}`;
const big = (number) => (number >= 1e6 ? `${(number / 1e6).toFixed(1)} million` : thousands(number));

/** Four boxes: weights, intermediate numbers, checks, one proof. */
function overview(plan) {
  const model = plan.columns.filter((column) => column.origin === "model");
  const witness = plan.columns.filter((column) => column.origin !== "model");
  const boxes = [
    ["The model's weights", `${big(sum(model, (c) => c.numbers))} numbers`, `hidden; sealed in the card, ${count(plan.modelChunks, "part")}`],
    ["The calculation", `${big(sum(witness, (c) => c.numbers))} numbers`, `hidden; sealed in the receipt, ${count(plan.witnessChunks, "part")}`],
    ["The checks", `${big(sum(plan.lookups, (l) => (l.causal ? l.numbers / 2 : l.numbers)))} look-ups`, `in ${count(plan.tables.length, "table")}; ${count(plan.products.length, "product")}, ${count(plan.zeros, "equation")}`],
    ["The proof", `${thousands(plan.proofBytes)} bytes`, `${thousands(plan.openingBytes)} of them open the seals`],
  ];
  const phone = window.matchMedia("(max-width: 40rem)").matches;
  const [width, height, gap] = phone ? [340, 76, 22] : [212, 96, 24];
  const drawing = node("svg", {
    viewBox: phone ? `0 0 ${width} ${4 * (height + gap) - gap}` : `0 0 ${4 * (width + gap) - gap} ${height}`,
    role: "img", "aria-label": boxes.map((box) => box.join(", ")).join(". "),
  });
  boxes.forEach(([title, size, note], at) => {
    const [x, y] = phone ? [0, at * (height + gap)] : [at * (width + gap), 0];
    drawing.append(node("rect", { class: "box", x: x + 1, y: y + 1, width: width - 2, height: height - 2, rx: 8 }));
    drawing.append(node("text", { x: x + 12, y: y + 24, "font-weight": 600 }, title), node("text", { x: x + 12, y: y + 44 }, size));
    const words = note.split(" ");
    const lines = phone ? [note] : [words.slice(0, Math.ceil(words.length / 2)).join(" "), words.slice(Math.ceil(words.length / 2)).join(" ")];
    lines.forEach((line, row) => drawing.append(node("text", { class: "soft", x: x + 12, y: y + 63 + 17 * row }, line)));
    if (at < 3) {
      const path = phone ? `M${width / 2} ${y + height + 2} v${gap - 6} m-5 -5 l5 5 l5 -5` : `M${x + width + 2} ${height / 2} h${gap - 6} m-5 -5 l5 5 l-5 5`;
      drawing.append(node("path", { class: "arrow", d: path }));
    }
  });
  return drawing;
}

/** A row a step: bytes and time as bars, and as a table for who does not see them. */
function steps(traced, times) {
  const rows = [{ name: "setup", bytes: 0, messages: 0 }, ...traced.steps].map((step) => ({ ...step, time: times[step.name] }));
  const most = { bytes: Math.max(...rows.map((row) => row.bytes), 1), time: Math.max(...rows.map((row) => row.time ?? 0), 1e-9) };
  const table = element("table", {}, element("caption", { class: "minor" }, "The steps, measured here"));
  const head = element("tr", {}, ...["Step", "Bytes", "Time here"].map((title, at) => element("th", { scope: "col", ...(at ? { class: "number" } : {}) }, title)), element("th", { scope: "col" }, "Share"));
  table.append(element("thead", {}, head));
  const body = element("tbody");
  const total = { bytes: sum(rows, (row) => row.bytes), time: sum(rows, (row) => row.time ?? 0) };
  for (const row of rows) {
    const [title, note] = STEPS[row.name] ?? [row.name, ""];
    const bars = node("svg", { viewBox: "0 0 160 22", "aria-hidden": "true" });
    bars.append(node("rect", { class: "bytes", x: 0, y: 2, width: Math.max((160 * row.bytes) / most.bytes, row.bytes ? 1 : 0), height: 8, rx: 2 }));
    bars.append(node("rect", { class: "time", x: 0, y: 12, width: Math.max((160 * (row.time ?? 0)) / most.time, row.time ? 1 : 0), height: 8, rx: 2 }));
    const name = element("th", { scope: "row" }, title, element("br"), element("small", {}, note));
    body.append(element("tr", {}, name, element("td", { class: "number" }, thousands(row.bytes)), element("td", { class: "number" }, milliseconds(row.time)), element("td", {}, bars)));
  }
  body.append(element("tr", {}, element("th", { scope: "row" }, "Together"), element("td", { class: "number" }, thousands(total.bytes)), element("td", { class: "number" }, milliseconds(total.time)), element("td")));
  table.append(body);
  const key = element("p", { class: "minor" }, element("span", { class: "key bytes" }), "bytes  ", element("span", { class: "key time" }), "time");
  return element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Steps of the verification" }, key, table);
}

/** The parts of the calculation by their names in the plan. */
function parts(plan) {
  const shape = (entry) => entry.axes.map(([name, length]) => `${name} ${thousands(length)}`).join(" × ") || "1";
  const list = (title, entries, what) => {
    const table = element("table", {}, element("caption", { class: "minor" }, title));
    table.append(element("thead", {}, element("tr", {}, ...["Name", what, "Shape"].map((name) => element("th", { scope: "col" }, name)))));
    const rows = entries.map((entry) => element("tr", {}, element("th", { scope: "row", class: "mono" }, entry.name), element("td", {}, entry.origin ?? entry.kind ?? `${plan.tables[entry.table]?.kind} 2^${plan.tables[entry.table]?.bits}`), element("td", {}, shape(entry))));
    table.append(element("tbody", {}, ...rows));
    return element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": title }, table);
  };
  return element("details", {}, element("summary", {}, `All parts: ${count(plan.columns.length, "column")}, ${count(plan.products.length, "product")}, ${count(plan.lookups.length, "look-up")}`),
    list("Columns: what is sealed", plan.columns, "From"), list("Products: what is multiplied", plan.products, "Kind"), list("Look-ups", plan.lookups, "Table"));
}

/** The whole drawing. */
export function draw(plan, traced, times) {
  const drawing = [overview(plan)];
  if (traced?.steps.length) {
    if (traced.refusedWith) {
      const reached = STEPS[traced.reached]?.[0] ?? "the first step";
      drawing.push(element("p", { class: "problem" }, `The verification stopped after reading “${reached}”: ${traced.refusedWith}.`));
    }
    drawing.push(steps(traced, times));
  }
  drawing.push(parts(plan));
  return drawing;
}
