// Heat map: cells follow the filter. A click on a cell opens its case.
// Each map is a grid as ARIA has it: one tab stop, arrow keys move from cell to cell, Enter and Space click.
const section = document.getElementById("heatmap");
const grids = [...section.querySelectorAll(".heat")];
const stops = new Map(); // a grid -> its cell that Tab reaches
const names = new Map(); // a cell -> its name for screen readers

function labelOf(cell) {
  const [structure, optimizer] = [cell.parentElement.cells[0], cell.closest("table").tHead.rows[0].cells[cell.cellIndex]];
  const where = `${structure.textContent.trim()}, ${optimizer.textContent.trim()}`;
  const [text, note] = [cell.firstChild.textContent.trim(), cell.querySelector("small")?.textContent];
  if (!note) return `${where}: no such case`;
  if (!cell.dataset.i) return `${where}: ${text}, ${note}`;
  if (note === "best") return `${where}: ${text}, the fastest of the row`;
  return `${where}: ${text}, ${note.replace(" ?", "")} against the fastest of the row${note.endsWith("?") ? ", perhaps as fast" : ""}`;
}

function follow(shown) {
  for (const [cell, name] of names) {
    const faded = "i" in cell.dataset && !shown.has(Number(cell.dataset.i));
    cell.classList.toggle("faded", faded);
    cell.ariaLabel = faded ? `${name}; the filter hides it` : name;
  }
}

function neighbour(cell, key, isWhole) { // undefined: the key moves nowhere; null: there is no cell
  const { rows } = cell.closest("tbody");
  const [row, column, last] = [cell.parentElement.sectionRowIndex, cell.cellIndex, cell.parentElement.cells.length - 1];
  const places = {
    ArrowLeft: [row, column - 1],
    ArrowRight: [row, column + 1],
    ArrowUp: [row - 1, column],
    ArrowDown: [row + 1, column],
    Home: [isWhole ? 0 : row, 1],
    End: [isWhole ? rows.length - 1 : row, last],
  };
  return places[key] && (rows[places[key][0]]?.querySelectorAll("td")[places[key][1] - 1] ?? null);
}

for (const grid of grids) {
  const box = grid.parentElement; // it scrolls with the cell in focus
  Object.assign(grid, { role: "grid", ariaReadOnly: "true", ariaLabel: box.getAttribute("aria-label") });
  for (const name of ["role", "aria-label", "tabindex"]) box.removeAttribute(name);
  for (const cell of grid.querySelectorAll("td")) {
    cell.tabIndex = -1;
    names.set(cell, labelOf(cell));
    if (cell.dataset.i) cell.title = page.cases[cell.dataset.i].id;
  }
  stops.set(grid, grid.querySelector("td[data-i]") ?? grid.querySelector("td"));
  stops.get(grid).tabIndex = 0;
}
section.addEventListener("focusin", ({ target }) => {
  if (!names.has(target)) return;
  const grid = target.closest("table");
  stops.get(grid).tabIndex = -1;
  stops.set(grid, target);
  target.tabIndex = 0;
});
section.addEventListener("keydown", (event) => {
  const { target, key, ctrlKey, altKey, metaKey, shiftKey } = event;
  if (!names.has(target) || altKey || metaKey || shiftKey || (ctrlKey && key !== "Home" && key !== "End")) return;
  const next = neighbour(target, key, ctrlKey);
  if (next === undefined && key !== "Enter" && key !== " ") return;
  event.preventDefault(); // no scrolling
  if (next === undefined) target.click();
  else next?.focus();
});
section.addEventListener("click", ({ target }) => {
  const cell = target.closest("td[data-i]");
  if (cell) page.open(page.cases[cell.dataset.i].id);
});
section.querySelector(".lead").append(" A click on a cell opens its case; arrow keys and Enter do the same.");
page.onShown(follow);
follow(page.shown()); // the filter of the hash
