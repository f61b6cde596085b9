// Two cases side by side: phases and memory as aligned bars, and the phase that makes most of the difference.
const [inputs, keys] = [[byId("pair-1"), byId("pair-2")], ["a", "b"]]; // keys of the hash
const places = new Map(page.cases.map(({ id }, index) => [id, index]));
const LEAST_TOTAL = 0.001; // share of the time of all phases below which a difference has no shares
const make = (tag, content = [], attributes = {}) => {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...[content].flat());
  return made;
};
const code = (text) => make("code", text);
const short = (value) => value.toLocaleString("en", { maximumSignificantDigits: 4 });
const sized = (value) => `${Math.abs(100 * value).toFixed(1)} %`;
const withSign = (value, text) => (Number.parseFloat(text) ? `${value > 0 ? "+" : "-"}${text}` : text);
const withArrow = (value, text) => (Number.parseFloat(text) ? `${withSign(value, text)} ${value > 0 ? "▲" : "▼"}` : text);
const sum = (values) => values.reduce((total, value) => total + value, 0);

function differences(title, groups) { // [phase, first value, second value, difference], a value is undefined where a case lacks it
  const [first, second] = groups.map((found) => new Map(found.find(([name]) => name === title)?.[1]));
  const names = [...new Set([...first.keys(), ...second.keys()])];
  return names.map((name) => [name, first.get(name), second.get(name), second.get(name) - first.get(name)]);
}

function bars(values, most) {
  return make("td", values.map((value) => {
    const bar = make("i");
    bar.style.width = `${(100 * (value ?? 0)) / most}%`;
    return bar;
  }), { className: "both" });
}

function tableOf(title, found) {
  const [, name, unit] = /^(.*) \((.*)\)$/.exec(title);
  const most = Math.max(...found.flatMap(([, one, other]) => [one ?? 0, other ?? 0])) || 1;
  const [total, whole] = [3, 1].map((place) => sum(found.map((row) => row[place]).filter(Number.isFinite)));
  const hasShares = unit === "ms" && Math.abs(total) > LEAST_TOTAL * whole;
  const head = (text, note = "", swatch = "") => make("th", [
    ...(swatch ? [make("i", [], { className: swatch })] : []), text, ...(note ? [make("small", note)] : []),
  ], { scope: "col" });
  const better = `${unit}, lower is better`;
  const heads = [head("Phase"), make("td"), head("First case", better, "first"), head("Second case", better, "second")];
  heads.push(head("Change", "lower is better"), head("Difference", better));
  if (hasShares) heads.push(head("Share", "of the difference of all phases"));
  const lines = found.map(([phase, one, other, more]) => make("tr", [
    make("th", phase, { scope: "row" }), bars([one, other], most),
    ...[one, other].map((value) => make("td", value === undefined ? "–" : short(value))),
    make("td", Number.isFinite(more) && one ? withArrow(more, sized(more / one)) : "–"),
    make("td", Number.isFinite(more) ? withSign(more, short(Math.abs(more))) : "–"),
    ...(hasShares ? [make("td", Number.isFinite(more) ? withSign(more / total, sized(more / total)) : "–")] : []),
  ]));
  const box = make("div", make("table", [make("thead", make("tr", heads)), make("tbody", lines)]), { className: "scroll", tabIndex: 0 });
  Object.assign(box, { role: "region", ariaLabel: name });
  return [make("h3", name), box];
}

function metricsOf([first, second], metrics) {
  const rows = metrics.filter(([, , texts]) => texts[first] !== texts[second]);
  const lines = rows.map(([title, meaning, texts]) => make("tr", [
    make("th", title, { scope: "row" }), make("td", texts[first] || "–"), make("td", texts[second] || "–"), make("td", meaning, { className: "text" }),
  ]));
  const heads = ["Metric", "First case", "Second case", "Meaning"].map((text) => make("th", text, { scope: "col", className: text === "Meaning" ? "text" : "" }));
  const box = make("div", make("table", [make("thead", make("tr", heads)), make("tbody", lines)]), { className: "scroll", tabIndex: 0 });
  Object.assign(box, { role: "region", ariaLabel: "Metrics that differ" });
  const text = `${number(rows.length)} of ${number(metrics.length)} metrics differ`;
  return make("details", [make("summary", text), box]);
}

function words(pair, found) {
  const [first, second] = pair.map((place) => page.cases[place]);
  if (first === second) return ["Both are the same case: choose another one."];
  const change = second.step_time / first.step_time - 1;
  const said = [code(second.id), ` takes ${sized(change)} ${change < 0 ? "less" : "more"} time per step than `, code(first.id), ". "];
  if (first.low <= second.high && second.low <= first.high) said.push("Their intervals overlap, so the order is uncertain. ");
  const factors = Object.keys(columns.levels).filter((name) => name !== "verdict" && first[name] !== second[name]);
  said.push(`They differ in ${factors.map((name) => `${name.replaceAll("_", " ")} (${first[name]}, ${second[name]})`).join(", ")}. `);
  const known = found.filter(([, , , more]) => Number.isFinite(more) && more);
  if (!known.length) return [...said, "No phase was timed in both of them."];
  const [phase, , , most] = known.reduce((one, other) => (Math.abs(other[3]) > Math.abs(one[3]) ? other : one));
  const total = sum(known.map(([, , , more]) => more));
  return [...said, `Of the phases, ${phase} differs most: ${withSign(most, short(Math.abs(most)))} ms, of ${withSign(total, short(Math.abs(total)))} ms in all.`];
}

async function compareCases() {
  const ids = inputs.map((input) => input.value.trim());
  const unknown = ids.find((id) => !places.has(id));
  const pair = ids.map((id) => places.get(id));
  const details = await page.details();
  if (ids.some((id, place) => id !== inputs[place].value.trim())) return; // another choice was made since
  const groups = unknown === undefined ? pair.map((place) => details.anatomy[place]) : [];
  const titles = [...new Set(groups.flat().map(([title]) => title))];
  const found = new Map(titles.map((title) => [title, differences(title, groups)]));
  const times = found.get(titles.find((title) => title.endsWith("(ms)"))) ?? [];
  byId("pair-answer").replaceChildren(...(unknown === undefined ? words(pair, times) : [`No measured case has the id ${unknown}.`]));
  const tables = titles.flatMap((title) => tableOf(title, found.get(title)));
  byId("pair-tables").replaceChildren(...tables, ...(groups.length ? [metricsOf(pair, details.metrics)] : []));
}

function readPair() {
  inputs.forEach((input, place) => (input.value = inHash().get(keys[place]) ?? input.dataset.id));
  compareCases().catch(console.error);
}

function choosePair() {
  const changes = Object.fromEntries(inputs.map(({ value, dataset }, place) => [keys[place], value.trim() === dataset.id ? "" : value.trim()]));
  history.replaceState(null, "", merged(changes) || location.pathname + location.search);
  compareCases().catch(console.error);
}

byId("pair").hidden = false;
byId("pair").addEventListener("submit", (event) => event.preventDefault());
for (const input of inputs) input.addEventListener("change", choosePair);
addEventListener("hashchange", readPair);
document.querySelector('#case-sheet [data-slot="buttons"]').prepend(button("Side by side", () => { // of a case's page
  const id = inHash().get("case");
  byId("case-sheet").close();
  location.hash = merged({ case: "", b: id });
  inputs[0].focus();
}));
const nearPair = new IntersectionObserver(([{ isIntersecting }]) => {
  if (!isIntersecting) return;
  nearPair.disconnect();
  readPair();
}, NEAR);
nearPair.observe(byId("why"));
if (rows.length <= CANVAS_FROM) setTimeout(readPair, LATER_MS); // so that printing has it
