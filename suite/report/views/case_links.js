// Ids of cases in tables lead to their pages, and the rows of these tables follow the filter as the ranked table does.
const places = new Map(page.cases.map(({ id }, index) => [id, index]));
const followers = new Map(); // table -> its rows with the index of their case

const linked = (id) => Object.assign(document.createElement("a"), { textContent: id, href: `#case=${encodeURIComponent(id)}` });

for (const head of document.querySelectorAll("main section table:not(#ranked) tbody th[scope=row]")) {
  const index = places.get(head.textContent);
  if (index === undefined || head.closest("dialog")) continue;
  head.replaceChildren(linked(head.textContent));
  const own = head.closest("table");
  followers.set(own, [...(followers.get(own) ?? []), [head.parentElement, index]]);
}

function follow(shown) {
  for (const [own, lines] of followers) {
    for (const [row, index] of lines) row.hidden = !shown.has(index);
    const hidden = lines.filter(([row]) => row.hidden).length;
    const under = own.parentElement.nextElementSibling?.matches(".followed") ? own.parentElement.nextElementSibling : null;
    const line = under ?? Object.assign(document.createElement("p"), { className: "under followed" });
    const all = `${number(lines.length)} ${lines.length === 1 ? "row" : "rows"}`;
    line.textContent = `${all}, ${hidden ? `${number(hidden)} hidden by the filter or a selection` : "none hidden"}.`;
    own.parentElement.after(line);
  }
}

page.onShown(follow);
follow(page.shown()); // the filter of the hash
