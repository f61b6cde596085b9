// The scripts of the page share one scope: state and cases here, then the filter, the ranked table, the charts.
// Scripts of views follow, each in a block. They use `page`. Without scripts the page shows every row, as ranked.
document.documentElement.classList.remove("starting"); // from here on, rows that are not shown are hidden and counted
const json = (id) => JSON.parse(document.getElementById(id).textContent);
const table = document.getElementById("ranked");
const rows = table ? [...table.tBodies[0].rows] : []; // as ranked, whatever is sorted or hidden
const idOf = (row) => (row.cells[1].querySelector("summary") ?? row.cells[1]).textContent;
const columns = table ? json("columns") : {};
const everything = new Set(rows.keys());
const state = { matching: everything, brushed: null, origin: null, shown: everything, watchers: [] };

function caseOf(row, index) {
  const texts = [2, 3, 5].map((place) => row.cells[place].textContent);
  const found = { id: idOf(row), step_time_text: texts[0], interval_text: texts[1], throughput_text: texts[2] };
  for (const [key, column] of Object.entries(columns)) {
    if (key === "levels") continue;
    const value = Array.isArray(column) ? column[index] : column;
    found[key] = key in columns.levels ? columns.levels[key][value] : value;
  }
  return found;
}

// Filter and brush together decide which cases are shown; everyone who watches follows.
function update(change) {
  Object.assign(state, change);
  const { matching, brushed } = state;
  state.shown = brushed ? new Set([...matching].filter((index) => brushed.has(index))) : matching;
  for (const watcher of state.watchers) watcher(state.shown);
}

// Sketches: quantiles of the rounds of each case; `suite.report.data.sketches` describes the bytes.
const [QUANTILES, SKETCH_STEP] = [101, 2e-4];
let sketches = null;

async function unpacked() {
  const packed = Uint8Array.from(atob(document.getElementById("sketches").textContent), (one) => one.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new DataView(await new Response(stream).arrayBuffer());
}

const page = {
  cases: rows.map(caseOf),
  shown: () => state.shown,
  onShown: (watcher) => state.watchers.push(watcher),
  brush: (indices, origin = null) => update({ brushed: indices, origin }), // the chart where the brush is keeps all cases
  open: (id) => (location.hash = `case=${encodeURIComponent(id)}`),
  async quantiles(index) {
    const bytes = await (sketches ??= unpacked());
    const [least, steps] = [bytes.getFloat64(8 * index, true), QUANTILES - 1];
    if (!least) return null;
    const [low, high] = [8 * rows.length + steps * index, (8 + steps) * rows.length + steps * index];
    const found = [least];
    for (let place = 0, sum = 0; place < steps; place += 1) {
      sum += bytes.getUint8(low + place) + 256 * bytes.getUint8(high + place);
      found.push(least * Math.exp(sum * SKETCH_STEP));
    }
    return found;
  },
};

function button(text, act) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  made.addEventListener("click", act);
  return made;
}
