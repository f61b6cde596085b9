// Parallel coordinates: rectangles over axes select cases, and the reader sets the share of the fastest ones.
const axes = json("axes");
const ruler = document.getElementById("top-share");
const chart = document.getElementById("lines");
const ranges = new Map(); // axis -> lowest and highest place, from 0 to 1
let waiting = 0;

function placeOf(one, { key, low, high, levels }) {
  if (levels.length) return levels.indexOf(String(one[key])) / (levels.length - 1);
  return one[key] > 0 ? Math.log(one[key] / low) / Math.log(high / low) : NaN;
}

function isWithin(one) {
  return [...ranges].every(([axis, [low, high]]) => {
    const place = placeOf(one, axis);
    return place >= low - 1e-9 && place <= high + 1e-9;
  });
}

function select() {
  page.brush(page.cases.flatMap((one, index) => (isWithin(one) ? [index] : [])), ranges);
  const line = document.getElementById("brushed");
  line.textContent = `Selected on ${[...ranges.keys()].map(({ title }) => title.split(",")[0]).join(", ")}. `;
  line.append(button("Clear", () => page.brush(null)));
}

function brushed(_, found) {
  if (!found.axis || !found.value) return;
  for (const axis of axes) if (found.axis.includes(axis.title)) ranges.set(axis, [...found.value].sort((a, b) => a - b));
  clearTimeout(waiting);
  waiting = setTimeout(select, 100);
}

page.onShown(() => {
  if (!ranges.size || state.origin === ranges) return;
  ranges.clear();
  document.getElementById("brushed").textContent = "";
  page.chart("lines")?.signal("brush_x", []).signal("brush_y", []).runAsync();
});

function showTop() {
  const share = Number(ruler.value) / 100;
  const cases = Math.ceil(share * page.cases.length);
  ruler.nextElementSibling.textContent = `${ruler.value} %, ${cases.toLocaleString("en")} case${cases === 1 ? "" : "s"}`;
  ruler.ariaValueText = ruler.nextElementSibling.textContent;
  page.chart("lines")?.signal("top", share).runAsync();
}

chart.addEventListener("drawn", ({ detail: view }) => {
  showTop();
  view.addSignalListener("brush", brushed);
});
ruler.addEventListener("input", showTop);
document.getElementById("top").hidden = false;
showTop();
