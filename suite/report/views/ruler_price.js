// A typed price of an hour of the machine: what it buys, for the case within the limits and for the fastest of all.
const [HOUR_S, STEPS] = [3600, 1e6];
const [input, line] = [byId("price"), byId("bought")];
const amount = (value) => value.toLocaleString("en", { maximumSignificantDigits: 4 });
const code = (words) => Object.assign(document.createElement("code"), { textContent: words });
const { noun } = input.dataset;
let [best, fastest] = [null, null];

function priceIn(text) { // null: the text is no price
  const price = /^(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : 0;
  return price > 0 && Number.isFinite(price) ? price : null;
}

function bought(price, text) {
  const examples = (one) => (HOUR_S * one.throughput) / price;
  const cost = (STEPS * best.batch_size) / examples(best);
  const words = [`At ${text} an hour, `, code(best.id), ` makes ${amount(examples(best))} ${noun} per unit of money. `];
  words.push(`A million steps cost ${amount(cost)}. `);
  if (best !== fastest) words.push(code(fastest.id), `, the fastest of all, makes ${amount(examples(fastest))}.`);
  return words;
}

function say() {
  const text = input.value.trim();
  const price = priceIn(text);
  const isRefused = text !== "" && price === null;
  input.ariaInvalid = `${isRefused}`;
  line.classList.toggle("refused", isRefused);
  const words = price !== null && best?.throughput && fastest.throughput ? bought(price, text) : [];
  line.replaceChildren(...(isRefused ? [`“${text}” is no price; allowed: a number above 0, such as 2.50.`] : words));
}

function readPrice() {
  const text = inHash().get("price");
  if (text !== null || !location.hash) input.value = text ?? "";
  say();
}

page.onChoice = (within, all) => {
  [best, fastest] = [within, all];
  say();
};
input.addEventListener("input", () => {
  history.replaceState(null, "", merged({ price: input.value.trim() }) || location.pathname + location.search);
  say();
});
input.form.addEventListener("submit", (event) => event.preventDefault()); // Enter in the only text field
addEventListener("hashchange", readPrice);
readPrice();
