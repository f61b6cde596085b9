// The filter as text, and check boxes that write the text. `suite/records/filters.py` has the same grammar.
const grammar = table ? json("grammar") : {};
const words = byId("words");
const NUMBER = /^(\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)([\p{L}_]*|%)$/iu;
const COMPARISONS = {
  "<": (found, wanted) => found < wanted,
  "<=": (found, wanted) => found <= wanted,
  ">": (found, wanted) => found > wanted,
  ">=": (found, wanted) => found >= wanted,
  "=": (found, wanted) => Math.abs(found - wanted) <= grammar.close * wanted,
};
const refuse = (sentence) => { throw new Error(sentence); };
const wordsOf = new Map(); // factor -> level of a case -> the words by which the filter knows it
function levelsOf(one, factor) {
  const known = wordsOf.get(factor) ?? wordsOf.set(factor, new Map()).get(factor);
  return known.get(one[factor]) ?? known.set(one[factor], split(one[factor], factor)).get(one[factor]);
}

function split(level, factor) {
  const levels = level == null ? [] : factor === "verdict" ? level.split(", ") : [level];
  return levels.map((each) => String(each).replaceAll(" ", "_").toLowerCase());
}

function like(text, pattern) { // `*` in the pattern is any text
  const [first, ...others] = pattern.split("*");
  if (!others.length) return text === first;
  const last = others.pop();
  let place = text.startsWith(first) ? first.length : -1;
  for (const piece of others) {
    const found = place < 0 ? -1 : text.indexOf(piece, place);
    place = found < 0 ? -1 : found + piece.length;
  }
  return place >= 0 && place <= text.length - last.length && text.endsWith(last);
}

function read(word) { // -> { word, matches }, with factor and patterns of a word about levels
  if (!word.replaceAll("-", "")) refuse(`“${word}” excludes nothing; allowed: a word behind it, such as -verdict:drifting.`);
  if (!word.startsWith("-")) return { word, ...bare(word) };
  const { matches } = bare(word.slice(1));
  return { word, matches: (one) => !matches(one) };
}

function bare(word) {
  const [, before, sign, after] = /^([^:<>=]*)(:|<=|>=|<|>|=)(.*)$/.exec(word) ?? [];
  if (sign === undefined) return { matches: (one) => like(one.id.toLowerCase(), `*${word}*`.toLowerCase()) };
  return (sign === ":" ? ofLevel : ofMetric)(word, before.toLowerCase(), sign, after);
}

function ofLevel(word, name, _, text) {
  const factor = grammar.aliases[name] ?? name;
  if (!grammar.factors.includes(factor)) refuse(`“${name}” in “${word}” is no factor; allowed: ${grammar.factors.join(", ")}.`);
  const patterns = text.toLowerCase().split(",");
  if (!patterns.every(Boolean)) refuse(`“${word}” lacks a level; allowed: ${name}:LEVEL or ${name}:LEVEL,LEVEL; * is any.`);
  return { factor, patterns, matches: (one) => levelsOf(one, factor).some((level) => patterns.some((each) => like(level, each))) };
}

function ofMetric(word, name, sign, text) {
  const metric = grammar.metrics[name] ?? grammar.keys[name];
  if (!metric) refuse(`“${name}” in “${word}” is no metric; allowed: ${Object.keys(grammar.metrics).join(", ")}.`);
  const [[key, unit], [, digits, scale]] = [metric, NUMBER.exec(text) ?? []];
  const [sizes, allowed] = [grammar.sizes[unit], grammar.names[unit].join(", ") + ("" in grammar.sizes[unit] ? " or none" : "")];
  if (!(scale in sizes)) refuse(`“${text}” in “${word}” is no value of ${name}; allowed: a number with one of ${allowed}.`);
  return { matches: (one) => Number.isFinite(one[key]) && COMPARISONS[sign](one[key], digits * sizes[scale]) };
}

page.read = (text) => { // words with a meaning, and sentences about the others
  const refusals = [];
  const tests = text.split(/\s+/).filter(Boolean).flatMap((word) => {
    try { return read(word); } catch (error) { refusals.push(error.message); return []; }
  });
  return { tests, refusals };
};

let tests = [];
function filter() {
  const found = page.read(words.value);
  tests = found.tests;
  byId("refusal").textContent = found.refusals.join(" ");
  const fails = page.cases.map((one) => tests.filter((test) => !test.matches(one))); // words that hide each case
  showTokens(fails);
  countLevels(fails);
  update({ matching: new Set([...everything].filter((index) => !fails[index].length)) });
}

function setWords(text) {
  words.value = text;
  history.replaceState(null, "", merged({ filter: text.trim() }) || location.pathname + location.search);
  filter();
}

const keep = (test) => tests.filter(test).map(({ word }) => word);

function showTokens(fails) {
  byId("tokens").replaceChildren(...tests.map((test) => {
    const alone = fails.filter((found) => found.length === 1 && found[0] === test).length;
    const made = button(`${test.word} ×`, () => setWords(keep((one) => one !== test).join(" ")));
    made.ariaLabel = made.title = `Remove ${test.word}, which alone hides ${number(alone)} ${alone === 1 ? "case" : "cases"}`;
    return made;
  }));
}

// Check boxes, each with the number of cases that the words about other factors leave.
const boxes = [];

function countLevels(fails) {
  for (const { factor, name, indices, box, count } of boxes) {
    const left = tests.length ? indices.filter((index) => fails[index].every((test) => test.factor === factor)) : indices;
    count.textContent = number(left.length);
    const about = tests.filter((test) => test.factor === factor);
    box.checked = about.length > 0 && about.every((test) => test.patterns.some((pattern) => like(name, pattern)));
  }
}

function chooseLevels(factor) {
  const chosen = boxes.filter((one) => one.factor === factor && one.box.checked).map(({ name }) => name.replaceAll(",", "*"));
  setWords([...keep((one) => one.factor !== factor), ...(chosen.length ? [`${factor}:${chosen}`] : [])].join(" "));
}

if (table) {
  byId("filter").hidden = false;
  const bar = () => (getComputedStyle(byId("filter")).position === "sticky" ? byId("filter").offsetHeight : 0);
  new ResizeObserver(() => {
    root.style.scrollPaddingTop = `calc(${bar()}px + 1rem)`; // not a variable of the root, which would style all again
    table.tHead.style.top = `${bar()}px`;
  }).observe(byId("filter"));
  const make = (tag, ...inside) => { const made = document.createElement(tag); made.append(...inside); return made; };
  for (const factor of grammar.factors) {
    const found = new Map();
    page.cases.forEach((one, index) => levelsOf(one, factor).forEach((name) => (found.get(name) ?? found.set(name, []).get(name)).push(index)));
    const group = make("fieldset", make("legend", factor.replaceAll("_", " ")));
    for (const [name, indices] of found) {
      const [box, count] = [Object.assign(make("input"), { type: "checkbox" }), make("small")];
      box.addEventListener("change", () => chooseLevels(factor));
      group.append(make("label", box, ` ${name} `, count));
      boxes.push({ factor, name, indices, box, count });
    }
    if (found.size > 1) byId("levels").lastElementChild.append(group);
  }
  words.addEventListener("input", () => setWords(words.value));
  addEventListener("hashchange", () => readHash());
}

function readHash() {
  const text = inHash().get("filter");
  if (text !== null || !location.hash) words.value = text ?? "";
  filter();
}
