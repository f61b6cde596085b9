// Heat map: cells follow the filter, and a click opens the case.
const cells = [...document.querySelectorAll(".heat td[data-i]")];
for (const cell of cells) cell.title = page.cases[cell.dataset.i].id;
const follow = (shown) => {
  for (const cell of cells) cell.classList.toggle("faded", !shown.has(Number(cell.dataset.i)));
};
page.onShown(follow);
follow(page.shown()); // the filter of the hash
document.getElementById("heatmap").addEventListener("click", ({ target }) => {
  const cell = target.closest("td[data-i]");
  if (cell) page.open(page.cases[cell.dataset.i].id);
});
