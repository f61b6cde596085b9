"""A page as a reader of HTML sees it: elements, their attributes and their text."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

INLINE = {"a", "b", "code", "dfn", "i", "script", "span", "strong"}
"""Elements that stand within a line; around all others, text is apart."""
VOID = {"meta", "input", "br", "link", "img", "hr", "base", "source", "embed"}


@dataclass
class Element:
    """One element in the order of the document; its text is a stretch of the page's pieces."""

    tag: str
    attributes: dict[str, str]
    inside: tuple[str, ...]
    pieces: list[str] = field(repr=False)
    start: int
    end: int | None = None

    @property
    def words(self) -> str:
        """Its text and that of the elements within it."""
        return "".join(self.pieces[self.start : self.end])


class Page(HTMLParser):
    """Parses a whole page. Table cells, rows and list items end where the next one begins, as browsers have it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self._pieces: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        closes = {"td": {"td", "th"}, "th": {"td", "th"}, "tr": {"td", "th", "tr"}, "li": {"li"}}.get(tag, set())
        while self._open and self._open[-1].tag in closes:
            self._end()
        inside = tuple(element.attributes["id"] for element in self._open if "id" in element.attributes)
        self._part(tag)
        attributes = {name: value or "" for name, value in attrs}
        self._open.append(Element(tag, attributes, inside, self._pieces, start=len(self._pieces)))
        self.elements.append(self._open[-1])
        if tag in VOID:
            self._end()

    def handle_endtag(self, tag: str) -> None:
        self._part(tag)
        if any(element.tag == tag for element in self._open):
            while self._end().tag != tag:
                pass

    def _end(self) -> Element:
        self._open[-1].end = len(self._pieces)
        return self._open.pop()

    def handle_data(self, data: str) -> None:
        self._pieces.append(data)

    def _part(self, tag: str) -> None:
        if tag not in INLINE:
            self.handle_data(" ")

    def all(self, tag: str, inside: str = "") -> list[Element]:
        """Elements named `tag`, within the element whose id is `inside` where that is given."""
        return [one for one in self.elements if one.tag == tag and (not inside or inside in one.inside)]

    def words(self, element_id: str) -> str:
        """The text of the element with an id, white space joined."""
        return " ".join(next(one.words for one in self.elements if one.attributes.get("id") == element_id).split())

    def rows(self, table: str) -> list[list[str]]:
        """The text of the cells of a table's body, row by row."""
        rows: list[list[str]] = []
        body = False
        for one in self.elements:
            if table not in one.inside:
                continue
            body = body or one.tag == "tbody"
            if body and one.tag == "tr":
                rows.append([])
            elif body and one.tag in ("td", "th"):
                rows[-1].append(" ".join(one.words.split()))
        return rows
