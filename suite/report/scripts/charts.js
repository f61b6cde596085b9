// Charts: each is drawn when a reader comes near it, and follows the filter, the brush and the theme.
const CANVAS_FROM = 1500; // cases from which a canvas is drawn faster than SVG
const LEGEND_PX = 190; // width of one entry of a legend
const LATER_MS = 1500; // after which charts of a small run are drawn unseen
const NEAR = { rootMargin: "800px" };
const specifications = table ? json("charts") : {};
const drawn = new Map(); // element -> Vega's view
const inked = (text, element) => text.replaceAll("currentColor", getComputedStyle(element).color); // a canvas knows no page
const showsCases = (element) => specifications[element.id].data?.name === "cases";
const shownIn = (element) => (element === state.origin ? state.matching : state.shown);
const shownCases = (element) => page.cases.filter((_, index) => shownIn(element).has(index)).map(withTexts);

let vega = null;

async function unpackVega() { // as a script of the page, which its policy allows
  const ready = new Promise((resolve) => addEventListener("vega", resolve, { once: true }));
  const text = await inflated("vega").text();
  document.head.append(Object.assign(document.createElement("script"), { type: "module", textContent: text }));
  await ready;
}

page.embed = async (element, specification, renderer) => {
  await (vega ??= unpackVega());
  return window.vegaEmbed(element, specification, { mode: "vega-lite", ast: true, actions: false, renderer, logLevel: 1 });
};

async function draw(element) {
  const canvas = showsCases(element) && rows.length > CANVAS_FROM;
  const text = JSON.stringify(specifications[element.id]);
  const specification = JSON.parse(canvas ? inked(text, element) : text);
  if (showsCases(element)) specification.data = { name: "cases", values: shownCases(element) };
  const legend = ((specification.config ??= {}).legend ??= {});
  legend.columns = Math.max(1, Math.floor(element.clientWidth / LEGEND_PX));
  element.replaceChildren();
  const { view } = await page.embed(element, specification, canvas ? "canvas" : "svg");
  for (const picture of element.querySelectorAll("svg, canvas")) picture.ariaHidden = "true"; // screen readers have the table
  if (!drawn.has(element)) element.after(copyButton("Copy as SVG", async () => inked(await drawn.get(element).toSVG(), element)));
  drawn.set(element, view);
  element.dispatchEvent(new CustomEvent("drawn", { detail: view }));
}

async function tryToDraw(element) {
  try {
    await draw(element);
  } catch (error) {
    element.textContent = `The chart could not be drawn (${error.message}); the table holds the same figures.`;
  }
}

page.chart = (id) => drawn.get(byId(id)) ?? null;

const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    tryToDraw(target);
  }
}, NEAR);

page.onShown(() => {
  for (const [element, view] of drawn) if (showsCases(element)) view.data("cases", shownCases(element)).runAsync();
});
if (table) {
  readHash();
  for (const element of document.querySelectorAll(".chart")) if (element.id in specifications) near.observe(element);
  addEventListener("theme", () => [...drawn.keys()].forEach(tryToDraw));
  const drawAll = () => document.querySelectorAll(".chart").forEach((one) => one.id in specifications && !drawn.has(one) && tryToDraw(one));
  addEventListener("beforeprint", drawAll);
  if (rows.length <= CANVAS_FROM) setTimeout(drawAll, LATER_MS); // printing does not wait for a chart
}
