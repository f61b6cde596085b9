// The ranked table: sort, rows that are shown, and copying a row.
const FIRST_ROWS = table?.tBodies[0].rows.length; // rows shown until asked for more: the first group of the table
let limit = FIRST_ROWS;

function sort(header, descending) {
  const [key, column] = [header.dataset.sort, header.cellIndex];
  const valueOf = (index) => (key === "text" ? rows[index].cells[column].textContent : page.cases[index][key]);
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en") : a - b) * (descending ? -1 : 1);
  const keyed = rows.map((row, index) => [valueOf(index), row]);
  keyed.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : compare(a, b)));
  const sorted = keyed.map(([, row]) => row);
  table.tBodies[0].append(...sorted.slice(0, FIRST_ROWS));
  table.tBodies[1]?.append(...sorted.slice(FIRST_ROWS));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  showRows();
}

function makeSortable(header) {
  const label = header.querySelector("span");
  const now = () => header.getAttribute("aria-sort");
  label.replaceWith(button(label.textContent, () => sort(header, now() ? now() === "ascending" : header.dataset.first === "down")));
}

function showRows() {
  const shown = new Set([...state.shown].map((index) => rows[index]));
  let seen = 0;
  for (const body of table.tBodies) {
    body.hidden = seen >= limit; // as a whole, which costs less than each of its rows
    if (body.hidden) continue;
    for (const row of body.rows) if (!(row.hidden = !(shown.has(row) && ++seen <= limit))) linkId(nameOf(row));
  }
  count(rows.length, state.matching.size, shown.size, Math.min(shown.size, limit));
}

function linkId(cell) { // where rows have no details, the id leads to the case
  const [id, link] = [cell.textContent, document.createElement("a")];
  if (!cell.firstElementChild) cell.replaceChildren(Object.assign(link, { textContent: id, href: `#${new URLSearchParams({ case: id })}` }));
}

function count(all, matching, shown, seen) {
  const line = byId("shown");
  const parts = [`${number(all)} ${all === 1 ? "case" : "cases"}, ${seen === all ? "none" : number(all - seen)} hidden`];
  if (matching < all) parts.push(`${number(all - matching)} by the filter “${keep(() => true).join(" ")}”`);
  if (shown < matching) parts.push(`${number(matching - shown)} by the selection in a chart`);
  if (seen < shown) parts.push(`${number(shown - seen)} since only the first ${limit} are shown`);
  byId("number").textContent = `${number(shown)} of ${number(all)} cases`;
  line.textContent = `${parts.join("; ")}. `;
  if (!matching) line.append(`${whyNone()} `, button("Clear the filter", () => setWords("")));
  if (seen < shown) line.append(button("Show all", () => ((limit = Infinity), showRows())));
  if (shown < matching) line.append(button("Clear the selection", () => page.brush(null)));
}

function whyNone() {
  const alone = keep((test) => !page.cases.some(test.matches));
  return alone.length ? `No case matches “${alone.join("”, nor “")}”.` : "Each word matches some cases, but no case matches all of them.";
}

function asMarkdown(row) {
  const cells = (from) => [...from.cells].map((cell) => (cell.querySelector("summary, button, span") ?? cell).textContent.trim());
  const titles = cells(table.tHead.rows[0]);
  const line = (texts) => `| ${texts.map((text) => text.replaceAll("|", "\\|")).join(" | ")} |`;
  return [titles, titles.map(() => "---"), cells(row)].map(line).join("\n");
}

function addTools({ target }) { // to a row when it is opened: most never are
  const row = target.closest("tr");
  if (!row || target.querySelector(".tools")) return;
  const tools = Object.assign(document.createElement("p"), { className: "tools" });
  const link = () => `${location.href.split("#")[0]}#${new URLSearchParams({ case: idOf(row) })}`;
  tools.append(button("Open the case", () => page.open(idOf(row))), copyButton("Copy a link to the case", link));
  tools.append(copyButton("Copy the row as Markdown", () => asMarkdown(row)));
  target.lastElementChild.prepend(tools);
}

if (table) {
  for (const header of table.tHead.querySelectorAll("[data-sort]")) makeSortable(header);
  table.tHead.rows[0].cells[2].setAttribute("aria-sort", "ascending");
  table.addEventListener("toggle", addTools, { capture: true });
  page.onShown(showRows);
}
