// The scripts of the page share one scope: state and cases here, then the filter, the ranked table, the charts.
// Scripts of views follow, each in a block. They use `page`. Without scripts the page shows every row, as ranked.
const root = document.documentElement;
root.classList.remove("starting"); // from here on, rows that are not shown are hidden and counted
const byId = (id) => document.getElementById(id);
const json = (id) => JSON.parse(byId(id).textContent);
const table = byId("ranked");
const rows = table ? [...table.tBodies].flatMap((body) => [...body.rows]) : []; // as ranked, whatever is sorted or hidden
const nameOf = (row) => row.firstElementChild.nextElementSibling; // `cells` makes a list for each row
const idOf = (row) => (nameOf(row).querySelector("summary") ?? nameOf(row)).textContent;
const columns = table ? json("columns") : {};
const everything = new Set(rows.keys());
const state = { matching: everything, brushed: null, origin: null, shown: everything, watchers: [] };
const { format: number } = new Intl.NumberFormat("en");

function allCases() {
  const found = rows.map((row, index) => ({ id: idOf(row), rank: index + 1, outcome: "measured" }));
  for (const [key, column] of Object.entries(columns)) {
    if (key === "levels") continue;
    const [levels, all] = [columns.levels[key], Array.isArray(column)];
    found.forEach((one, index) => {
      const value = all ? column[index] : column;
      one[key] = levels ? levels[value] : value;
    });
  }
  return found;
}

// Texts of a case for tooltips, read from its row once a chart shows it.
const TEXTS = { step_time_text: 2, interval_text: 3, throughput_text: 5 };
function withTexts(one) {
  if ("step_time_text" in one) return one;
  const { cells } = rows[one.rank - 1];
  for (const [key, place] of Object.entries(TEXTS)) one[key] = cells[place].textContent;
  return one;
}

// Filter and brush together decide which cases are shown; everyone who watches follows.
function update(change) {
  const { matching, brushed } = Object.assign(state, change);
  state.shown = brushed ? new Set([...matching].filter((index) => brushed.has(index))) : matching;
  for (const watcher of state.watchers) watcher(state.shown);
}

// Quantiles of the rounds of each case; `suite.report.data.sketches` describes the bytes.
const [QUANTILES, SKETCH_STEP] = [101, 2e-4];
let sketches = null;

function inflated(id) { // a response with what is packed in an element
  const packed = Uint8Array.from(atob(byId(id).textContent), (one) => one.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate")));
}

async function quantiles(index) {
  const bytes = new DataView(await (sketches ??= inflated("sketches").arrayBuffer()));
  const [least, steps] = [bytes.getFloat64(8 * index, true), QUANTILES - 1];
  const [low, high] = [8 * rows.length + steps * index, (8 + steps) * rows.length + steps * index];
  const found = [least];
  for (let place = 0, sum = 0; place < steps; place += 1) {
    sum += bytes.getUint8(low + place) + 256 * bytes.getUint8(high + place);
    found.push(least * Math.exp(sum * SKETCH_STEP));
  }
  return least ? found : null;
}

const page = (window.stepmark = {
  cases: allCases(),
  shown: () => state.shown,
  onShown: (watcher) => state.watchers.push(watcher),
  brush: (indices, origin = null) => update({ brushed: indices && new Set(indices), origin }), // its chart keeps all cases
  open: (id) => (location.hash = merged({ case: id })),
  quantiles,
});

// State in the hash: `#filter=resnet&price=2.5&case=ID`; a plain `#environment` leads to a section.
const inHash = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");

function merged(changes) {
  const found = inHash();
  for (const [key, value] of Object.entries(changes)) value ? found.set(key, value) : found.delete(key);
  return found.size ? `#${found}` : "";
}

addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#"]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const target = byId(link.hash.slice(1));
  if (!target) return void (location.hash = merged(Object.fromEntries(new URLSearchParams(link.hash.slice(1)))));
  for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  target.tabIndex = -1;
  target.focus({ preventScroll: true });
  target.scrollIntoView();
});

function button(text, act) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  made.addEventListener("click", () => act(made));
  return made;
}

const copyButton = (label, textOf, selected = null) => button(label, async (made) => {
  try {
    await navigator.clipboard.writeText(await textOf());
    made.textContent = "Copied";
  } catch {
    if (selected) getSelection().selectAllChildren(selected);
    made.textContent = selected ? "Selected" : "Not copied: the browser refused";
  }
});

// Theme, and all that opens
const stored = (act) => {
  try { return act(localStorage); } catch { return null; } // a file from disk may have no storage
};
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
const themeButton = button("", () => {
  setTheme(isDark() ? "light" : "dark");
  stored((storage) => storage.setItem("stepmark-theme", root.dataset.theme));
});
function setTheme(theme) {
  if (theme) root.dataset.theme = theme;
  themeButton.textContent = isDark() ? "Light" : "Dark";
  dispatchEvent(new Event("theme"));
}
setTheme(stored((storage) => storage.getItem("stepmark-theme")));
prefersDark.addEventListener("change", () => setTheme(""));
const openAll = (open) => document.querySelectorAll("main details").forEach((one) => (one.open = open));
byId("tools").append(themeButton, button("Expand all", () => openAll(true)), button("Collapse all", () => openAll(false)));
for (const one of document.querySelectorAll("[data-copy]")) one.append(copyButton("Copy", () => one.dataset.copy));
const addCopy = (element) => element.after(copyButton("Copy", () => element.textContent, element));
document.querySelectorAll(".command, #json").forEach(addCopy);
