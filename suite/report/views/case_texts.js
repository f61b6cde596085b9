// Texts of a case's page: `page.fillCase` fills the slots of the dialog from the packed details, and returns these.
const constants = json("case-constants");
const element = (tag, content, attributes = {}) => {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...[content].flat());
  return made;
};
const cells = ([first, ...rest]) => [element("th", first, { scope: "row" }), ...rest.map((text) => element("td", text))];
const lines = (rows) => rows.map((row) => element("tr", cells(row)));
const pairs = (rows) => rows.map(([term, text]) => element("div", [element("dt", term), element("dd", text)]));
let unpacked = null;
page.details = () => (unpacked ??= inflated("case-details").json());

page.fillCase = async (slot, index) => {
  const details = await page.details();
  const { id, mode } = page.cases[index];
  const fill = (name, nodes) => {
    slot(name).replaceChildren(...nodes);
    slot(name).closest("[data-block]")?.toggleAttribute("hidden", !nodes.length);
  };
  const titles = [...table.tHead.rows[0].cells].map((cell) => [...cell.querySelectorAll(":is(button, span), small")].slice(0, 2));
  const textOf = (one) => [...one.childNodes].map((node) => node.textContent).filter(Boolean).join(" ");
  const named = titles.map((found) => found.map((one, place) => element(place ? "small" : "span", textOf(one))));
  const figures = named.map((name, place) => [name, rows[index].cells[place].textContent.trim()]);
  const { issues, readings, quantiles, visits, metrics = [], attributes } = details;
  document.getElementById("case-title").textContent = id;
  fill("figures", pairs(figures.filter(([, text], place) => place > 1 && text && text !== "–")));
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
  return details;
};
