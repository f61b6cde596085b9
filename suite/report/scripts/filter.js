// Filter: words of the id, in the hash.
const words = document.getElementById("words");

function filter() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = ({ id }) => wanted.every((word) => id.toLowerCase().includes(word));
  update({ matching: new Set(page.cases.flatMap((one, index) => (matches(one) ? [index] : []))) });
}

function readHash() {
  const toSection = location.hash && !location.hash.includes("=");
  if (!toSection) words.value = new URLSearchParams(location.hash.slice(1)).get("filter") ?? "";
  filter();
}

function writeHash() {
  const text = words.value.trim();
  history.replaceState(null, "", text ? `#filter=${encodeURIComponent(text)}` : location.pathname + location.search);
  filter();
}

if (table) {
  document.getElementById("filter").hidden = false;
  words.addEventListener("input", writeHash);
  addEventListener("hashchange", readHash);
}
