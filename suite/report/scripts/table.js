// The ranked table: sort, rows that are shown, and copying.
const FIRST_ROWS = 500; // rows shown until asked for more, since layout takes a second for each 1,000; as in table.css
const sizes = table ? json("sizes") : {};
let limit = FIRST_ROWS;
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
  showRows();
}

function makeSortable(header) {
  const now = () => header.getAttribute("aria-sort");
  const change = () => sort(header, now() ? now() === "ascending" : header.dataset.first === "down");
  const label = header.querySelector("span");
  label.replaceWith(button(label.textContent, change));
}

function showRows() {
  const shown = new Set([...state.shown].map((index) => rows[index]));
  for (const row of table.tBodies[0].rows) row.hidden = !shown.has(row) || shown.size > limit;
  if (shown.size > limit) [...table.tBodies[0].rows].filter((row) => shown.has(row)).slice(0, limit).forEach((row) => (row.hidden = false));
  count(rows.length, state.matching.size, shown.size, Math.min(shown.size, limit));
}

function count(all, matching, shown, seen) {
  const number = (value) => value.toLocaleString("en");
  const parts = [`${number(all)} ${all === 1 ? "case" : "cases"}, ${seen === all ? "none" : number(all - seen)} hidden`];
  if (matching < all) parts.push(`${number(all - matching)} by the filter “${words.value.trim()}”`);
  if (!matching) parts.push("no case has all of these words in its id");
  if (shown < matching) parts.push(`${number(matching - shown)} by the selection in a chart`);
  if (seen < shown) parts.push(`${number(shown - seen)} since only the first ${limit} are shown`);
  const line = document.getElementById("shown");
  line.textContent = `${parts.join("; ")}. `;
  if (seen < shown) line.append(button("Show all", () => ((limit = Infinity), showRows())));
  if (shown < matching) line.append(button("Clear the selection", () => page.brush(null)));
}

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
  page.onShown(showRows);
}
