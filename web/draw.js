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

/** An element of a drawing. */
export const node = (name, attributes = {}, text) => {
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

/** Four boxes in a row, or in a column on a phone: weights, intermediate numbers, checks, one proof. */
function overview(plan) {
  const model = plan.columns.filter((column) => column.origin === "model");
  const witness = plan.columns.filter((column) => column.origin !== "model");
  const boxes = [
    ["The model's weights", `${big(sum(model, (c) => c.numbers))} numbers`, `hidden; sealed in the card in ${count(plan.modelChunks, "part")}`],
    ["The calculation", `${big(sum(witness, (c) => c.numbers))} numbers`, `hidden; sealed in the receipt in ${count(plan.witnessChunks, "part")}`],
    ["The checks", `${big(sum(plan.lookups, (l) => (l.causal ? l.numbers / 2 : l.numbers)))} look-ups`, `in ${count(plan.tables.length, "table")}; ${count(plan.products.length, "product")}, ${count(plan.zeros, "equation")}`],
    ["The proof", `${thousands(plan.proofBytes)} bytes`, `${thousands(plan.openingBytes)} of them open the seals`],
  ];
  return element("ol", { class: "flow" }, ...boxes.map(([title, size, note]) => element("li", {}, element("b", {}, title), element("span", {}, size), element("small", {}, note))));
}

/** A row a step: numbers, and bars for who sees them. */
function steps({ steps: heard, times }) {
  const rows = [{ name: "setup", bytes: 0 }, ...heard].map((step) => ({ ...step, time: times[step.name] }));
  const most = { bytes: Math.max(...rows.map((row) => row.bytes), 1), time: Math.max(...rows.map((row) => row.time ?? 0), 1e-9) };
  const table = element("table", {}, element("caption", {}, "The steps of the check that was just made: ", element("span", { class: "key bytes" }), "bytes read", element("span", { class: "key time" }), "time taken"));
  table.append(element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Step"), ...["Bytes", "Time"].map((title) => element("th", { scope: "col", class: "number" }, title)))));
  const body = element("tbody");
  const row = (kind, title, bytes, time) => element("tr", kind ? { class: kind } : {}, element("th", { scope: "row" }, ...title), element("td", { class: "number" }, thousands(bytes)), element("td", { class: "number" }, milliseconds(time)));
  for (const { name, bytes, time } of rows) {
    const [title, note] = STEPS[name] ?? [name, ""];
    const bars = node("svg", { class: "bars", viewBox: "0 0 100 18", preserveAspectRatio: "none", "aria-hidden": "true" });
    const bar = (kind, y, share) => share > 0 && bars.append(node("rect", { class: kind, x: 0, y, width: Math.max(100 * share, 0.4), height: 7 }));
    bar("bytes", 0, bytes / most.bytes);
    bar("time", 10, (time ?? 0) / most.time);
    body.append(row("", [title, element("br"), element("small", {}, note), bars], bytes, time));
  }
  const total = (of) => rows.reduce((sum, row) => sum + (row[of] ?? 0), 0);
  body.append(row("sum", ["Together"], total("bytes"), total("time")));
  table.append(body);
  return element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Steps of the check" }, table);
}

const MOST_ROWS = 500; // of a table: a hostile card has parts by the thousand

/** The parts of the calculation by their names in the plan, made when they are asked for. */
function parts(plan) {
  const shape = (entry) => entry.axes.map(([name, length]) => `${name} ${thousands(length)}`).join(" × ") || "1";
  const list = (title, entries, what) => {
    const table = element("table", {}, element("caption", { class: "minor" }, title));
    table.append(element("thead", {}, element("tr", {}, ...["Name", what, "Shape"].map((name) => element("th", { scope: "col" }, name)))));
    const rows = entries.slice(0, MOST_ROWS).map((entry) => element("tr", {}, element("th", { scope: "row", class: "mono" }, entry.name), element("td", {}, entry.origin ?? entry.kind ?? `${plan.tables[entry.table]?.kind} 2^${plan.tables[entry.table]?.bits}`), element("td", {}, shape(entry))));
    if (entries.length > MOST_ROWS) rows.push(element("tr", {}, element("td", { colspan: 3 }, `… and ${thousands(entries.length - MOST_ROWS)} more`)));
    table.append(element("tbody", {}, ...rows));
    return element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": title }, table);
  };
  const details = element("details", {}, element("summary", {}, `All parts: ${count(plan.columns.length, "column")}, ${count(plan.products.length, "product")}, ${count(plan.lookups.length, "look-up")}`));
  details.addEventListener("toggle", () => details.append(list("Columns: what is sealed", plan.columns, "From"), list("Products: what is multiplied", plan.products, "Kind"), list("Look-ups", plan.lookups, "Table")), { once: true });
  return details;
}

/** The whole drawing: of a plan, and of what `verifyTimed` said. */
export function draw(plan, outcome) {
  const drawing = [overview(plan)];
  if (outcome.reached) {
    if (outcome.verdict === "refused") drawing.push(element("p", { class: "problem" }, `The check ended in the step “${STEPS[outcome.reached][0]}”.`));
    drawing.push(steps(outcome));
  }
  drawing.push(parts(plan));
  return drawing;
}
