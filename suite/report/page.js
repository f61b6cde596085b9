// The page's own script: sort, filter, copy, chart. Without it the page shows every row, in the order of the ranking.
document.documentElement.classList.remove("starting"); // from here on, rows that are not shown are hidden and counted
const CANVAS_FROM = 1500; // marks from which a canvas is drawn faster than SVG
const FIRST_ROWS = 500; // rows shown until asked for more, since layout takes a second for each 1,000; as in page.css
const LEGEND_PX = 150; // width of one entry of the chart's legend
const json = (id) => JSON.parse(document.getElementById(id).textContent);
const table = document.getElementById("ranked");
const rows = table ? [...table.tBodies[0].rows] : []; // as ranked, whatever is sorted or hidden
const idOf = (row) => (row.cells[1].querySelector("summary") ?? row.cells[1]).textContent;
let drawn = null;

function button(text, act) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  made.addEventListener("click", act);
  return made;
}

// Sort
const sizes = table ? json("sizes") : {};
const keys = {
  text: (text) => text,
  number: (text) => {
    const [, digits, unit] = /([\d.]+)\s*([^\d\s/]*)/.exec(text) ?? [];
    return digits === undefined ? NaN : Number(digits) * (sizes[unit] ?? 1);
  },
  interval: (text) => {
    const [, low, high] = /\[([\d.]+), ([\d.]+)\]/.exec(text) ?? [];
    return (high - low) / (Number(high) + Number(low)); // relative width: one unit for both ends cancels
  },
};

function compare(a, b) {
  if (typeof a === "string") return a.localeCompare(b, "en");
  return Number.isNaN(a) || Number.isNaN(b) ? Number.isNaN(a) - Number.isNaN(b) : a - b;
}

function sort(header, descending) {
  const [column, key] = [header.cellIndex, keys[header.dataset.sort]];
  const keyed = rows.map((row) => [key(column === 1 ? idOf(row) : row.cells[column].textContent), row]);
  keyed.sort(([a], [b]) => (descending && !Number.isNaN(a) && !Number.isNaN(b) ? compare(b, a) : compare(a, b)));
  table.tBodies[0].append(...keyed.map(([, row]) => row));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  show();
}

function makeSortable(header) {
  const now = () => header.getAttribute("aria-sort");
  const change = () => sort(header, now() ? now() === "ascending" : header.dataset.first === "down");
  const label = header.querySelector("span");
  label.replaceWith(button(label.textContent, change));
}

// Filter
const words = document.getElementById("words");
const shown = document.getElementById("shown");
const matching = new Set(rows);
let limit = FIRST_ROWS;

function show() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  matching.clear();
  for (const row of table.tBodies[0].rows) {
    const id = idOf(row).toLowerCase();
    if (wanted.every((word) => id.includes(word))) matching.add(row);
    row.hidden = !matching.has(row) || matching.size > limit;
  }
  count(rows.length, matching.size, Math.min(matching.size, limit));
  if (drawn) drawn.data("cases", drawn.all.filter((_, place) => matching.has(rows[place]))).runAsync();
}

function count(all, found, seen) {
  const number = (value) => value.toLocaleString("en");
  const parts = [`${number(all)} ${all === 1 ? "case" : "cases"}, ${seen === all ? "none" : number(all - seen)} hidden`];
  if (found < all) parts.push(`${number(all - found)} by the filter “${words.value.trim()}”`);
  if (!found) parts.push("no case has all of these words in its id");
  if (seen < found) parts.push(`${number(found - seen)} since only the first ${limit} are shown`);
  shown.textContent = `${parts.join("; ")}. `;
  if (seen < found) shown.append(button("Show all", () => ((limit = Infinity), show())));
}

function readHash() {
  const toSection = location.hash && !location.hash.includes("=");
  if (!toSection) words.value = new URLSearchParams(location.hash.slice(1)).get("filter") ?? "";
  show();
}

function writeHash() {
  const text = words.value.trim();
  history.replaceState(null, "", text ? `#filter=${encodeURIComponent(text)}` : location.pathname + location.search);
  show();
}

// Chart
const inked = (text, element) => text.replaceAll("currentColor", getComputedStyle(element).color); // a canvas knows no page

async function draw() {
  const columns = json("columns");
  const level = (factor, place) => columns.levels[factor][columns[factor][place]];
  const all = rows.map((row, place) => ({
    case: idOf(row),
    structure: level("structure", place),
    optimizer: level("optimizer", place),
    execution: level("execution", place),
    median: columns.median[place],
    low: columns.low[place],
    high: columns.high[place],
    step_time: row.cells[2].textContent,
    interval: row.cells[3].textContent,
    throughput: row.cells[5].textContent,
  }));
  const [specification, container] = [json("specification"), document.getElementById("chart")];
  const canvas = all.length > CANVAS_FROM;
  if (canvas) specification.config = JSON.parse(inked(JSON.stringify(specification.config), container));
  specification.data = { name: "cases", values: all.filter((_, place) => matching.has(rows[place])) };
  container.replaceChildren();
  specification.config.legend.columns = Math.max(1, Math.floor(container.clientWidth / LEGEND_PX));
  const options = { mode: "vega-lite", ast: true, actions: false, renderer: canvas ? "canvas" : "svg" };
  const { view } = await window.vegaEmbed(container, specification, options);
  drawn = Object.assign(view, { all });
}

// Copy
function addCopy(element) {
  const copy = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(element.textContent);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(element);
      copy.textContent = "Selected";
    }
  });
  element.after(copy);
}

for (const element of document.querySelectorAll(".command, #json")) addCopy(element);
if (table) {
  for (const header of table.tHead.querySelectorAll("[data-sort]")) makeSortable(header);
  table.tHead.rows[0].cells[2].setAttribute("aria-sort", "ascending");
  document.getElementById("filter").hidden = false;
  words.addEventListener("input", writeHash);
  addEventListener("hashchange", readHash);
  readHash();
  const say = (text) => (document.getElementById("chart").textContent = text);
  const excuse = (error) => say(`The chart could not be drawn (${error.message}); the ranked table holds the same figures.`);
  draw().catch(excuse);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw().catch(excuse));
}
