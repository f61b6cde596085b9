// Bars of phases and memory keep their thickness when the filter shows fewer cases.
const [MOST, BAR_PX] = [25, 20]; // as in anatomy.py
const parts = { phases: "forward", memory: "memory_kept" };

function fit(id) {
  const known = [...page.shown()].filter((index) => page.cases[index][parts[id]] !== null);
  page.chart(id)?.height(BAR_PX * Math.max(1, Math.min(MOST, known.length))).runAsync();
}

for (const id of Object.keys(parts)) {
  document.getElementById(id)?.addEventListener("drawn", () => fit(id));
  page.onShown(() => fit(id));
}
