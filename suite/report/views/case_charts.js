// Charts of a case's page: `page.drawCase` draws them into the slots of the dialog.
const constants = json("case-constants");

async function plot(element, name, values) {
  const specification = { ...structuredClone(constants.charts[name]), data: { name: "case", values } };
  specification.config.legend.columns = Math.max(1, Math.floor(element.clientWidth / LEGEND_PX));
  await page.embed(element, specification, "svg");
}

async function drawDistribution(slot, index) {
  const quantiles = await page.quantiles(index);
  slot("histogram").closest("[data-block]").hidden = !quantiles;
  if (!quantiles) return;
  const most = quantiles[95] + 1.5 * (quantiles[95] - quantiles[5]); // slower rounds stand in the last bar
  const seconds = quantiles.map((one) => Math.min(one, most));
  const percents = seconds.slice(1).map((one, place) => ({ kind: "percent", seconds: (one + seconds[place]) / 2 }));
  const rising = seconds.map((one, place) => ({ kind: "share", seconds: one, share: place / (seconds.length - 1) }));
  const { step_time: median, low, high } = page.cases[index];
  await plot(slot("histogram"), "histogram", percents);
  await plot(slot("shares"), "shares", [...rising, { kind: "interval", seconds: low, until: high, median }]);
}

async function drawRounds(slot, index, visits) {
  const secondsOf = (step) => page.cases[index].step_time * (1 + step * constants.step);
  let at = 0;
  const points = visits.flatMap((kinds, visit) => {
    at += 2; // a gap between visits
    const named = kinds.flatMap((steps, kind) => steps.map((step) => [["warm-up", "counted"][kind], secondsOf(step)]));
    return named.map(([kind, seconds]) => ({ at: (at += 1), visit: visit + 1, kind, seconds }));
  });
  await plot(slot("rounds"), "rounds", points);
}

async function drawTiles(slot, name, tiles) {
  slot.replaceChildren();
  slot.closest("[data-block]").hidden = !tiles.length;
  for (const [title, values] of tiles) {
    const [tile, heading, element] = ["figure", "figcaption", "div"].map((tag) => document.createElement(tag));
    heading.textContent = title;
    tile.append(heading, element);
    slot.append(tile);
    await plot(element, name, values);
  }
}

page.drawCase = async (slot, index, { rounds, anatomy, timelines }) => {
  await drawDistribution(slot, index);
  if (rounds) await drawRounds(slot, index, rounds[index]);
  const parts = (anatomy?.[index] ?? []).map(([title, rows]) => [title, rows.map(([name, value]) => ({ name, value }))]);
  await drawTiles(slot("anatomy"), "bars", parts);
  const [at, readings = []] = timelines?.[index] ?? [];
  const inTime = readings.map(([title, values]) => [title, values.map((value, place) => ({ at: at[place], value }))]);
  await drawTiles(slot("timelines"), "timeline", inTime);
};
