"""The project's texts: no banned word, short sentences, short first lines of docstrings, lines that fit a screen."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import suite
from tests.conftest import PROJECT, TESTS

ROOT = Path(suite.__file__).parent
PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").glob("*.md")])
COMMANDS = ["Makefile", "docker/Dockerfile", "docker/install.sh", "docker/base/Dockerfile"]
COMMANDS += [str(path.relative_to(PROJECT)) for path in sorted(PROJECT.glob(".ci/*"))]
COMMANDS += [str(path.relative_to(PROJECT)) for path in sorted(PROJECT.glob(".github/workflows/*.yml"))]
FOLDERS = (TESTS, PROJECT / "docs" / "studies", PROJECT / "docker")
PROGRAMS = sorted(file for folder in FOLDERS for file in folder.rglob("*.py"))
DECISIONS = sorted((PROJECT / "docs" / "decisions").glob("*.md"))

BANNED = {
    "told": r"told",
    "tell (of things; a person may be the one who is)": r"tells?(?! (?:you|us|them|a reader|the user)\b)",
    "beside": r"beside",
    "likewise": r"likewise",
    "meanwhile": r"meanwhile",
    "part (as a verb)": r"parts? (?:an?|the|it|them|one|two|from)|parts cases|cases part",
    "settled": r"settled",
    "taken out": r"taken out",
    "looked into": r"looked into",
    "the matter": r"the matter",
    "of its own": r"of (?:its|their) own",
    "as it is": r"as it is",
    "in the middle of": r"in the middle of",
}
"""Word -> pattern. `besides` is another word; a key or an identifier is no word."""
BANNED_WORD = re.compile(
    r"\b(?:" + "|".join(pattern.replace(" ", r"\s+") for pattern in BANNED.values()) + r")\b", re.IGNORECASE
)
OPENING = re.compile(r"(?:What|Where|Whoever|Of|That which)\b")
"""Openings that put a clause where the sentence's subject belongs."""

LONGEST_FIRST_LINE = 80
LONGEST_LINE = 120
LONGEST_SENTENCE = 25
"""Characters of a docstring's first line and of a line of Markdown; words of a sentence."""


class Text(NamedTuple):
    """A piece of prose in a file, and the number of its first line."""

    line: int
    words: str


def room_of(file: Path) -> str:
    """`suite/report/page.css` -> `report`; `suite/gate/arms/arm.py` -> `gate.arms`; `suite/cli.py` -> `cli`."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[: 2 if parts[0] == "gate" else 1])


ROOMS: dict[str, list[Path]] = {}
for path in sorted(ROOT.rglob("*")):
    if path.suffix in {".py", ".j2", ".js", ".css"}:
        ROOMS.setdefault(room_of(path), []).append(path)
SOURCES = {path: path.read_text(encoding="utf-8") for files in ROOMS.values() for path in files}
TREES = {path: ast.parse(source) for path, source in SOURCES.items() if path.suffix == ".py"}

INLINE_CODE = re.compile(r"`[^`\n]+`")
TEMPLATE_CODE = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)
IDENTIFIER = re.compile(r"[\w.:/-]*")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def blank(text: str, pattern: re.Pattern[str]) -> str:
    """The text with everything that matches replaced by spaces, on the same lines."""
    return pattern.sub(lambda match: re.sub(r"\S", " ", match[0]), text)


def comments(source: str) -> Iterator[Text]:
    """Comments of a module; those on successive lines are one."""
    found: list[Text] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            words, line = token.string.lstrip("# "), token.start[0]
            if found and line == last + 1:
                found[-1] = Text(found[-1].line, f"{found[-1].words}\n{words}")
            else:
                found.append(Text(line, words))
            last = line
    yield from found


def strings(tree: ast.AST) -> Iterator[Text]:
    """Messages, docstrings and other constants of a module, without those that are keys or names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not IDENTIFIER.fullmatch(node.value):
            yield Text(node.lineno, node.value)


def texts_of(path: Path) -> Iterator[Text]:
    """Everything that a reader may read in a file of the package."""
    if path in TREES:
        yield from comments(SOURCES[path])
        yield from strings(TREES[path])
    else:
        yield Text(1, blank(SOURCES[path], TEMPLATE_CODE))


def banned_words(texts: Iterator[Text]) -> Iterator[str]:
    """`12: told` for each banned word."""
    for text in texts:
        for match in BANNED_WORD.finditer(blank(text.words, INLINE_CODE)):
            yield f"{text.line + text.words[: match.start()].count(chr(10))}: {' '.join(match[0].split())}"


def docstrings(tree: ast.AST) -> Iterator[Text]:
    """Docstrings of a module, its classes and functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield Text(node.body[0].lineno, docstring)


def first_lines(tree: ast.AST) -> Iterator[Text]:
    """Their first lines."""
    yield from (Text(line, words.splitlines()[0]) for line, words in docstrings(tree))


def unclear_docstrings(tree: ast.AST) -> Iterator[str]:
    """Docstrings whose first line is long, is no sentence or opens with a clause."""
    for line, words in first_lines(tree):
        if len(words) > LONGEST_FIRST_LINE:
            yield f"{line}: {len(words)} characters: {words}"
        if not words.endswith((".", ":", "?", "!")):
            yield f"{line}: goes on in the next line: {words}"
        if OPENING.match(words):
            yield f"{line}: opens with a clause: {words}"


def help_texts(tree: ast.AST) -> Iterator[Text]:
    """Texts that `--help` prints."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in {"help", "description", "epilog"}:
            yield from strings(node.value)


def paragraphs(markdown: str) -> Iterator[Text]:
    """Paragraphs and list items of a page, without code, tables and headings."""
    text = re.sub(r"^(?:\||#).*$", "", blank(markdown, FENCE), flags=re.MULTILINE)
    line = 1
    for piece in re.split(r"(\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) ))", text):
        words = re.sub(r"^\s*(?:[-*]|\d+\.) ", "", piece)
        if words.strip():
            yield Text(line, words)
        line += piece.count("\n")


def sentences(texts: Iterator[Text]) -> Iterator[Text]:
    """The sentences of paragraphs; a link counts as the words that it shows."""
    for line, words in texts:
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", words)
        for sentence in re.split(r"(?<=[.!?])[)*]*\s+(?=[A-Z`*\[])", shown):
            yield Text(line, " ".join(sentence.split()))


def long_sentences(texts: Iterator[Text]) -> Iterator[str]:
    """Sentences of more words than a reader keeps in mind."""
    for line, sentence in sentences(texts):
        if len(sentence.split()) > LONGEST_SENTENCE:
            yield f"{line}: {len(sentence.split())} words: {sentence}"


def wide_lines(markdown: str) -> Iterator[str]:
    """Lines that could be broken and are too wide: no code, no table, no link alone."""
    for number, line in enumerate(blank(markdown, FENCE).splitlines(), 1):
        is_breakable = not line.startswith("|") and " " in re.sub(r"!?\[[^\]]*\]\([^)]*\)", "", line).strip("- ")
        if len(line) > LONGEST_LINE and is_breakable:
            yield f"{number}: {len(line)} characters"


def faults_of_page(page: Path) -> list[str]:
    """Everything that makes a page hard to read, by line."""
    markdown = page.read_text(encoding="utf-8")
    opened = [
        f"{line}: opens with a clause: {one}" for line, one in sentences(paragraphs(markdown)) if OPENING.match(one)
    ]
    return [
        *wide_lines(markdown),
        *banned_words(iter([Text(1, markdown)])),
        *long_sentences(paragraphs(markdown)),
        *opened,
    ]


def faults_of_room(room: str) -> list[str]:
    """Everything that makes a room's texts hard to read, by file and line."""
    found: list[str] = []
    for path in ROOMS[room]:
        name = path.relative_to(ROOT)
        found += [f"{name}:{fault}" for fault in banned_words(texts_of(path))]
        if path in TREES:
            found += [f"{name}:{fault}" for fault in unclear_docstrings(TREES[path])]
            found += [f"{name}:{fault}" for fault in long_sentences(help_texts(TREES[path]))]
    return found


@pytest.mark.parametrize("room", list(ROOMS))
def test_a_room_says_everything_in_plain_words(room):
    assert faults_of_room(room) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_a_page_has_short_sentences_in_plain_words(page):
    assert faults_of_page(page) == []


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_has_short_sentences_in_plain_words(page):
    assert faults_of_page(page) == []


TEST_NAME = re.compile(r"^ *def (test_\w+)", re.MULTILINE)
UNCLEAR_NAME = re.compile(
    r"^test (?:what|where|whoever|of|else|it) |\b(?:told|tells?|beside|likewise|settled|matters?|taken out|looked into"
    r"|of (?:its|their) own|as it is)\b"
)
"""Names of tests that open with a clause or have a banned word: a failing line names the behaviour that broke."""


@pytest.mark.parametrize("file", sorted(TESTS.rglob("test_*.py")), ids=lambda file: file.stem)
def test_names_of_tests_say_plainly_which_behaviour_broke(file):
    names = TEST_NAME.findall(file.read_text(encoding="utf-8"))
    assert [name for name in names if UNCLEAR_NAME.search(name.replace("_", " "))] == []


@pytest.mark.parametrize("file", PROGRAMS, ids=lambda file: str(file.relative_to(PROJECT)))
def test_docstrings_and_comments_of_tests_and_studies_use_plain_words(file):
    source = file.read_text(encoding="utf-8")
    tree = ast.parse(source)
    opened = [words for _, words in first_lines(tree) if OPENING.match(words)]
    assert opened == []
    assert list(banned_words(iter([*comments(source), *docstrings(tree)]))) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_makefile_and_scripts_of_ci_use_plain_words(name):
    assert list(banned_words(iter([Text(1, (PROJECT / name).read_text(encoding="utf-8"))]))) == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("The gate told it.", ["1: told"]),
        ("A round that was taken\nout.", ["1: taken out"]),
        ("What parts a case from another.", ["1: parts a"]),
        ("The parts of a step, and besides a part for each phase.", []),
        ("The key `told` stays.", []),
        ("It tells you whether a change is slower, and tells nothing else.", ["1: tells"]),
    ],
)
def test_a_banned_word_is_found_and_its_neighbours_are_not(words, found):
    assert list(banned_words(iter([Text(1, words)]))) == found
