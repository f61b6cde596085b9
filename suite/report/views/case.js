// A case's page: a dialog that #case=ID opens, filled from the packed details.
const [sheet, constants] = [document.getElementById("case-sheet"), json("case-constants")];
const [chooser, answer] = [document.getElementById("case-chooser"), document.getElementById("case-answer")];
const places = new Map(page.cases.map(({ id }, index) => [id, index]));
const slot = (name) => sheet.querySelector(`[data-slot="${name}"]`);
const hashOf = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
const element = (tag, content, attributes = {}) => {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...[content].flat());
  return made;
};
const cells = ([first, ...rest]) => [element("th", first, { scope: "row" }), ...rest.map((text) => element("td", text))];
const lines = (rows) => rows.map((row) => element("tr", cells(row)));
const pairs = (rows) => rows.map(([term, text]) => element("div", [element("dt", term), element("dd", text)]));
let details = null;

function fill(name, nodes) {
  slot(name).replaceChildren(...nodes);
  slot(name).closest("[data-block]")?.toggleAttribute("hidden", !nodes.length);
}

async function unpackDetails() {
  const packed = document.getElementById("case-details").textContent;
  const bytes = Uint8Array.from(atob(packed), (one) => one.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
}

function fillTexts(index, { id, mode }) {
  const titles = [...table.tHead.rows[0].cells].map((cell) => [...cell.querySelectorAll(":is(button, span), small")].slice(0, 2));
  const named = titles.map((found) => found.map((one, place) => element(place ? "small" : "span", one.innerText)));
  const figures = named.map((name, place) => [name, rows[index].cells[place].textContent.trim()]);
  const { issues, readings, quantiles, visits, metrics = [], attributes } = details;
  sheet.querySelector("h3").textContent = id;
  fill("figures", pairs(figures.filter(([, text], place) => place > 1 && text)));
  fill("issues", pairs((issues[index] ?? []).map(([kind, text, remedy]) => [kind, `${text}. Remedy: ${remedy}.`])));
  fill("distribution", readings ? [readings[index][0]] : []);
  fill("rounds-reading", readings ? [readings[index][1]] : []);
  fill("quantiles", quantiles ? lines([quantiles[index]]) : []);
  fill("visits", visits ? lines(visits[index]) : []);
  const known = metrics.filter(([, , texts]) => texts[index]);
  fill("metrics", lines(known.map(([title, meaning, texts]) => [title, texts[index], meaning])));
  const levels = Object.entries(attributes).map(([key, { texts, places: at }]) => [key, texts[at[index]]]);
  fill("attributes", pairs(levels.filter(([, text]) => text)));
  const quoted = id.replaceAll("'", `'"'"'`); // the id stands between single quotes
  const text = constants.commands[mode].replace(constants.placeholder, () => quoted);
  fill("command", [element("code", text, { className: "command", tabIndex: 0 })]);
  addCopy(slot("command").firstChild);
}

async function openFromHash() {
  const [id, index] = [hashOf().get("case"), places.get(hashOf().get("case"))];
  answer.textContent = id === null || index !== undefined ? "" : `No measured case has the id ${id}.`;
  if (index === undefined) return sheet.close();
  details ??= await unpackDetails();
  fillTexts(index, page.cases[index]);
  if (!sheet.open) sheet.showModal();
  sheet.scrollTop = 0;
  await page.drawCase(slot, index, details);
}

function step(by) {
  const shown = [...page.shown()].sort((one, other) => one - other);
  const at = shown.indexOf(places.get(hashOf().get("case")));
  page.open(page.cases[shown[(Math.max(at, 0) + by + shown.length) % shown.length] ?? 0].id);
}

sheet.addEventListener("close", () => {
  const hash = hashOf();
  if (!hash.has("case")) return;
  hash.delete("case");
  history.replaceState(null, "", `${hash}` ? `#${hash}` : location.pathname + location.search);
});
const turn = [["Previous", () => step(-1)], ["Next", () => step(1)], ["Close", () => sheet.close()]];
fill("buttons", turn.map(([text, act]) => button(text, act)));
const [input, list] = [element("input", [], { id: "case-input", type: "search" }), element("datalist", [], { id: "case-ids" })];
input.setAttribute("list", list.id);
input.addEventListener("focus", () => list.replaceChildren(...page.cases.map(({ id }) => element("option", [], { value: id }))));
input.addEventListener("change", () => input.value && page.open(input.value.trim()));
chooser.replaceChildren(element("label", "Open a case: ", { htmlFor: input.id }), input, list);
addEventListener("hashchange", openFromHash);
openFromHash();
