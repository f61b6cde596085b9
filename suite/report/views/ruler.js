// The ruler: limits that the reader drags, and the fastest case within them.
const groups = json("front-groups");
const choice = document.getElementById("front-group");
const rulers = [...document.querySelectorAll("#ruler input[data-metric]")];
const SCALES = { B: [2 ** 20, " MiB"], J: [1, " J"], ratio: [0.01, " %"] };
const text = (value, unit) => `${Number((value / SCALES[unit][0]).toPrecision(4))}${SCALES[unit][1]}`;
const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
const percent = (own, other) => `${Math.abs(100 * (own / other - 1)).toFixed(1)} %`;
const code = (words) => Object.assign(document.createElement("code"), { textContent: words });
// The limit that a ruler sets, in base units; null at the end where it excludes no case.
function limitOf({ value, dataset: { metric, better, unit } }) {
  const known = (groups[choice.value][metric] ?? []).filter((one) => one !== null);
  if (!known.length || value === (better === "higher" ? "0" : "1000")) return null;
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const exact = better === "higher" ? low + ((high - low) * value) / 1000 : low * (high / low) ** (value / 1000);
  return Math.min(Math.max(Number((exact / SCALES[unit][0]).toPrecision(3)) * SCALES[unit][0], low), high);
}

const isWithin = (value, better, limit) => value !== null && (better === "higher" ? value >= limit : value <= limit);

// The price of the best case against the fastest: more time, for less of another metric.
function price(best, fastest) {
  const changes = rulers.flatMap(({ dataset: { metric, name, unit } }) => {
    const [own, other] = [best[`front_${metric}`], fastest[`front_${metric}`]];
    if (own === null || !other || own === other) return [];
    const size = unit === "ratio" ? `${Math.abs(100 * (own - other)).toFixed(1)} points` : percent(own, other);
    return [`${size} ${own < other ? "less" : "more"} ${name}`];
  });
  const slower = `: ${percent(best.step_time, fastest.step_time)} slower than `;
  return [slower, code(fastest.id), changes.length ? `, for ${changes.join(" and ")}. ` : ". "];
}
function answer() {
  const all = groups[choice.value].places.filter((place) => page.shown().has(place)).map((place) => page.cases[place]);
  const limits = rulers.map((ruler) => ({ ...ruler.dataset, ruler, limit: limitOf(ruler) }));
  const set = limits.filter(({ limit }) => limit !== null);
  const within = all.filter((one) => set.every((each) => isWithin(one[`front_${each.metric}`], each.better, each.limit)));
  const [best, fastest] = [within[0], all[0]];
  for (const { ruler, metric, unit, limit } of limits) {
    ruler.nextElementSibling.textContent = limit === null ? "no limit" : text(limit, unit);
    ruler.ariaValueText = ruler.nextElementSibling.textContent;
    ruler.closest("p").hidden = !(metric in groups[choice.value]);
    page.chart(`pareto-${metric}`)?.signal("limit", limit ?? 0).signal("best", best?.id ?? "").runAsync();
  }
  const words = [`${within.length.toLocaleString("en")} of ${count(all.length, "case")} within the limits. `];
  const cost = () => (best === fastest ? [", the fastest of all. "] : price(best, fastest));
  if (best) words.push("The fastest of them is ", code(best.id), ...cost());
  const rivals = within.filter((one) => one.low <= best.high).length - 1;
  if (rivals > 0) words.push(`${count(rivals, "other case")} may be as fast.`);
  document.getElementById("choice").replaceChildren(...words);
  const options = set.map(({ option, limit, unit }) => `--${option} ${text(limit, unit).replace(" ", "")}`);
  document.getElementById("choice-command").textContent = ["stepmark recommend RECORD", ...options].join(" ");
  page.onChoice(best, fastest);
}
for (const ruler of rulers) {
  ruler.addEventListener("input", answer);
  document.getElementById(`pareto-${ruler.dataset.metric}`)?.addEventListener("drawn", answer);
}
choice.addEventListener("change", answer);
page.onShown(answer);
document.querySelector("#ruler form").hidden = false;
answer();
