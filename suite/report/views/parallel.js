// Parallel coordinates: a rectangle over an axis selects cases, and the reader sets the share of the fastest ones.
const axes = json("axes");
const ruler = document.getElementById("top-share");
const chart = document.getElementById("lines");
const ranges = new Map(); // axis -> lowest and highest place, from 0 to 1
let waiting = 0;

page.cases.forEach((one, rank) => (one.rank = rank));

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
  page.brush(ranges.size ? new Set(page.cases.flatMap((one, index) => (isWithin(one) ? [index] : [])), chart) : null);
  const line = document.getElementById("brushed");
  line.textContent = ranges.size ? `Selected on ${[...ranges.keys()].map(({ title }) => title.split(",")[0]).join(", ")}. ` : "";
  if (ranges.size) line.append(button("Clear", () => (ranges.clear(), select())));
}

function brushed(_, found) {
  if (!found.axis || !found.value) return;
  for (const axis of axes) if (found.axis.includes(axis.title)) ranges.set(axis, [...found.value].sort((a, b) => a - b));
  clearTimeout(waiting);
  waiting = setTimeout(select, 100);
}

function showTop() {
  const share = Number(ruler.value) / 100;
  ruler.nextElementSibling.textContent = `${ruler.value} %, ${Math.ceil(share * page.cases.length).toLocaleString("en")} cases`;
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
