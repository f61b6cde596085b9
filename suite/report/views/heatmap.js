// Heat map: cells follow the filter, and a click opens the case.
const cells = [...document.querySelectorAll(".heat td[data-i]")];
for (const cell of cells) cell.title = page.cases[cell.dataset.i].id;
page.onShown((shown) => {
  for (const cell of cells) cell.classList.toggle("faded", !shown.has(Number(cell.dataset.i)));
});
document.getElementById("heatmap").addEventListener("click", ({ target }) => {
  const cell = target.closest("td[data-i]");
  if (cell) page.open(page.cases[cell.dataset.i].id);
});
