// The front: cases get their group and state, and a rectangle in a chart selects cases.
const groups = json("front-groups");
const metrics = json("front-metrics");
const figures = [...document.querySelectorAll("#pareto .chart")];
const choice = document.getElementById("front-group");
const AXIS = { B: 2 ** 20 }; // bytes of the unit of an axis of memory

groups.forEach((group, number) => {
  group.places.forEach((place, index) => {
    const own = { front_group: number, front_state: group.front[index], front_number: group.numbers[index] ?? null };
    for (const { metric } of metrics) own[`front_${metric}`] = group[metric]?.[index] ?? null;
    Object.assign(page.cases[place], own);
  });
});

function select(chart, metric, unit, found) {
  if (!found.step_time || !found.value) return state.origin === chart && page.brush(null);
  const within = (value, [one, other]) => value >= Math.min(one, other) && value <= Math.max(one, other);
  const matches = (one) =>
    one.front_group === Number(choice.value) &&
    within(one.step_time, found.step_time) &&
    within(one[`front_${metric}`] / (AXIS[unit] ?? 1), found.value);
  page.brush(page.cases.flatMap((one, index) => (matches(one) ? [index] : [])), chart);
}

function showGroup() {
  const group = groups[choice.value];
  for (const { metric } of metrics) {
    const chart = document.getElementById(`pareto-${metric}`);
    chart.closest(".fronts > div").hidden = !(metric in group);
    chart.closest("figure").querySelector(".says").textContent = group.reading;
    chart.closest("figure").querySelector("figcaption a").hash = group.table;
    if (metric in group) page.chart(chart.id)?.signal("group", Number(choice.value)).runAsync();
  }
}

for (const chart of figures) {
  const { metric, unit } = metrics.find((one) => chart.id === `pareto-${one.metric}`);
  let waiting = 0;
  chart.addEventListener("drawn", ({ detail: view }) => {
    showGroup();
    view.addSignalListener("brush", (_, found) => {
      clearTimeout(waiting);
      waiting = setTimeout(() => select(chart, metric, unit, found), 100);
    });
  });
}
page.onShown(() => {
  for (const chart of figures) {
    if (state.origin !== chart) page.chart(chart.id)?.signal("brush_x", []).signal("brush_y", []).runAsync();
  }
});
choice.addEventListener("change", showGroup);
choice.closest("form").hidden = groups.length < 2;
showGroup();
