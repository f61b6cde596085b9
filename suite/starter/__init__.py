"""The files with which a project starts, as `stepmark init` writes them.

templates/  their texts, with @FOLDER@ for the project's folder in its repository and @PROJECT@ for how pip installs it
"""

from __future__ import annotations

import contextlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from suite.configuration.files import ALONE, SHARED, configures, is_top, searched
from suite.records import StepmarkError
from suite.records.atomic_files import cannot_write

TEMPLATES = Path(__file__).with_name("templates")
LEVELS = "stepmark_levels.py"
IGNORED = ".gitignore"
REQUIREMENTS = "requirements.txt"
GITHUB = Path(".github", "workflows", "stepmark.yml")
GITLAB = Path(".gitlab-ci.yml")


def start(here: Path, *, github: bool, gitlab: bool) -> Iterator[str]:
    """Write the files; yield their paths, and then what to type next.

    Args:
        here: folder of the project.
        github: whether to write a workflow of GitHub; it goes to the top of the repository.
        gitlab: whether to write a pipeline of GitLab; the same.

    Raises:
        StepmarkError: one of the files exists, or the folder is configured; then nothing is written.
    """
    here = here.resolve()
    top = top_of(here)
    texts = texts_for(here, top or here, github=github, gitlab=gitlab)
    refuse_existing(here, texts)
    write_all(texts)
    yield from (str(path.relative_to(here)) if path.is_relative_to(here) else str(path) for path in texts)
    yield from next_lines(top is not None, ignored_here(here, texts))


def top_of(here: Path) -> Path | None:
    """The top folder of a folder's repository; None without one."""
    return next((folder for folder in searched(here) if is_top(folder)), None)


def texts_for(here: Path, top: Path, *, github: bool, gitlab: bool) -> dict[Path, str]:
    """The text of each file to write, by path."""
    chosen = {here / ALONE: "stepmark.toml", here / LEVELS: "levels"}
    if not (here / IGNORED).exists():
        chosen[here / IGNORED] = "gitignore"
    if github:
        chosen[top / GITHUB] = "github.yml"
    if gitlab:
        chosen[top / GITLAB] = "gitlab.yml"
    folder = json.dumps(here.relative_to(top).as_posix())[1:-1]  # as within quotes of YAML
    words = {"@FOLDER@": folder, "@PROJECT@": "".join(map(" {}".format, installed(here)))}
    return {path: filled((TEMPLATES / name).read_text(encoding="utf-8"), words) for path, name in chosen.items()}


def filled(text: str, words: Mapping[str, str]) -> str:
    """A template's text with words in place of marks."""
    for mark, word in words.items():
        text = text.replace(mark, word)
    return text


def installed(here: Path) -> Iterator[str]:
    """Words by which pip installs the project in a folder, and its requirements."""
    if (here / REQUIREMENTS).is_file():
        yield f"-r {REQUIREMENTS}"
    if (here / "setup.py").is_file() or has_project(here / SHARED):
        yield "-e ."


def has_project(file: Path) -> bool:
    """Whether a `pyproject.toml` describes a project that can be installed."""
    with contextlib.suppress(OSError, ValueError):
        return "project" in tomllib.loads(file.read_text(encoding="utf-8"))
    return False


def refuse_existing(here: Path, texts: Mapping[Path, str]) -> None:
    """Check that nothing has to be overwritten.

    Raises:
        StepmarkError: `/a/stepmark.toml exists; allowed: a folder without it; ...`
    """
    existing = [str(path) for path in texts if path.exists() or path.is_symlink()]
    if configures(here / SHARED):
        existing.append(f"the table [tool.stepmark] in {here / SHARED}")
    if existing:
        them, verb = ("it", "exists") if len(existing) == 1 else ("them", "exist")
        raise StepmarkError(
            f"{' and '.join(existing)} {verb}, and stepmark init overwrites nothing; allowed: a folder without {them}; "
            f"move {them} away, or leave out the option that writes a CI file."
        )


def write_all(texts: Mapping[Path, str]) -> None:
    """Write every file, or none.

    Raises:
        StepmarkError: the disk refuses, or another process has made a file of that name.
    """
    written: list[Path] = []
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
        except BaseException as error:  # an interruption, too
            for done in written:
                done.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise cannot_write(path, error) from error
            raise


def ignored_here(here: Path, texts: Mapping[Path, str]) -> list[str]:
    """Lines that a `.gitignore` of the user lacks."""
    if here / IGNORED in texts:
        return []
    with contextlib.suppress(OSError, ValueError):
        known = {line.strip().strip("/") for line in (here / IGNORED).read_text(encoding="utf-8").splitlines()}
        wanted = (TEMPLATES / "gitignore").read_text(encoding="utf-8").split()
        return [line for line in wanted if line.strip("/") not in known]
    return []


def next_lines(has_repository: bool, missing: list[str]) -> Iterator[str]:
    """Commands to type next."""
    yield "next:"
    if missing:
        yield f"  add to {IGNORED}: {' '.join(missing)}"
    yield "  stepmark run                         # measure my_network, in about a minute, and write a page"
    if not has_repository:
        yield "  git init"
    yield "  git add --all && git commit -m 'Measure with stepmark'"
    yield "  stepmark gate --baseline rev:HEAD    # after a change: is the step slower?"
    yield f"then replace my_network and my_optimizer in {LEVELS} by yours; `stepmark config` shows every option."
