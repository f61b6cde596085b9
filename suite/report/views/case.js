// A case's page: a dialog that #case=ID opens. Its texts and charts are made by case_texts.js and case_charts.js.
const sheet = document.getElementById("case-sheet");
const [chooser, answer] = [document.getElementById("case-chooser"), document.getElementById("case-answer")];
const places = new Map(page.cases.map(({ id }, index) => [id, index]));
const slot = (name) => sheet.querySelector(`[data-slot="${name}"]`);
const hashOf = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");

async function openFromHash() {
  const [id, index] = [hashOf().get("case"), places.get(hashOf().get("case"))];
  answer.textContent = id === null || index !== undefined ? "" : `No measured case has the id ${id}.`;
  if (index === undefined) return sheet.close();
  const details = await page.fillCase(slot, index);
  if (hashOf().get("case") !== id) return; // closed, or another one was asked for
  copy.textContent = COPY;
  if (!sheet.open) sheet.showModal();
  sheet.scrollTop = 0;
  await page.drawCase(slot, index, details);
}

function step(by) {
  const shown = [...page.shown()].sort((one, other) => one - other);
  const at = shown.indexOf(places.get(hashOf().get("case")));
  page.open(page.cases[shown[(Math.max(at, 0) + by + shown.length) % shown.length] ?? 0].id);
}

sheet.addEventListener("click", ({ target }) => target.closest("a") && sheet.close()); // it leads to the page behind
sheet.addEventListener("close", () => {
  const hash = hashOf();
  if (!hash.has("case")) return;
  hash.delete("case");
  history.replaceState(null, "", `${hash}` ? `#${hash}` : location.pathname + location.search);
});
const turn = [["Previous", () => step(-1)], ["Next", () => step(1)], ["Close", () => sheet.close()]];
const COPY = "Copy as Markdown";
const copy = copyButton(COPY, () => asMarkdown(rows[places.get(hashOf().get("case"))]));
slot("buttons").replaceChildren(copy, ...turn.map(([text, act]) => button(text, act)));
const make = (tag, attributes) => Object.assign(document.createElement(tag), attributes);
const [input, list] = [make("input", { id: "case-input", type: "search" }), make("datalist", { id: "case-ids" })];
input.setAttribute("list", list.id);
addEventListener("focusin", ({ target }) => { // other views have inputs with this list too
  if (target.getAttribute?.("list") === list.id) list.replaceChildren(...page.cases.map(({ id }) => make("option", { value: id })));
});
input.addEventListener("change", () => input.value && page.open(input.value.trim()));
chooser.replaceChildren(make("label", { textContent: "Open a case: ", htmlFor: input.id }), input, list);
let last = Promise.resolve(); // one after the other, so that the charts are those of the last case asked for
const open = () => (last = last.then(openFromHash).catch(console.error));
addEventListener("hashchange", open);
open();
