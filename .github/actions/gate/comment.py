"""Write the gate's verdict as one comment on a pull request: `comment.py FOLDER [NAME]`.

The comment has a hidden marker. A later gate edits it, and only if the text differs. A comment that cannot be written
costs one sentence and never fails the job. The standard library is enough.

Source: GitHub, "REST API endpoints for issue comments", "Using pagination in the REST API".
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARKER = "<!-- stepmark-gate {name} -->"
LONGEST = 65_536
"""Characters of a comment."""
SHORTENED = "\n\nThis comment is shortened; the job's summary has the rest."
CLOSED = "\n\n</details>"
ANSWER_S = 30.0
"""Seconds for an answer of GitHub."""
NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')
FORBIDDEN = (401, 403, 404)
"""Answers to a token that may not do something; GitHub answers 404 where even a look is forbidden."""


class NoComment(Exception):
    """There is no comment; the text is the reason, without a period."""


@dataclass(frozen=True)
class PullRequest:
    """A pull request of a repository.

    Attributes:
        api: address of GitHub's REST API.
        repository: owner and name.
        number: of the pull request.
        token: that writes.
    """

    api: str
    repository: str
    number: int
    token: str

    def comments(self) -> Iterator[dict[str, Any]]:
        """All comments, the oldest first."""
        url = f"{self.api}/repos/{self.repository}/issues/{self.number}/comments?per_page=100"
        while url:
            found, links = self.call("GET", url)
            yield from found
            following = NEXT.search(links)
            url = following[1] if following else ""

    def write(self, body: str) -> None:
        """Write a new comment."""
        self.call("POST", f"{self.api}/repos/{self.repository}/issues/{self.number}/comments", body)

    def edit(self, comment: int, body: str) -> None:
        """Replace the text of a comment."""
        self.call("PATCH", f"{self.api}/repos/{self.repository}/issues/comments/{comment}", body)

    def user(self) -> str:
        """Name of the token's user; empty for the token of a job, which has none."""
        try:
            return str(self.call("GET", f"{self.api}/user")[0]["login"])
        except NoComment:
            return ""

    def call(self, method: str, url: str, body: str | None = None) -> tuple[Any, str]:
        """GitHub's answer and its links to other pages.

        Raises:
            NoComment: GitHub refused, or cannot be reached.
        """
        request = urllib.request.Request(  # noqa: S310 - the address is that of the job's GitHub
            url,
            data=None if body is None else json.dumps({"body": body}).encode(),
            method=method,
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                "User-Agent": "stepmark-gate",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310 - as above
                return json.load(answer), answer.headers.get("Link", "")
        except urllib.error.HTTPError as error:
            raise NoComment(refusal(error)) from error
        except (OSError, ValueError) as error:
            raise NoComment(f"GitHub cannot be reached at {self.api}: {error}") from error


def refusal(error: urllib.error.HTTPError) -> str:
    """The reason why GitHub refused."""
    try:
        message = str(json.load(error)["message"])
    except (OSError, ValueError, KeyError, TypeError):
        message = str(error.reason)
    said = f"GitHub answered {error.code}: {message}"
    if error.headers.get("x-ratelimit-remaining") == "0" or "rate limit" in message:
        return f"{said}; the limit of requests is reached"
    if error.code in FORBIDDEN:
        return (
            f"{said}; the token may not write it: a pull request from a fork has such a token, any other needs "
            "`permissions: pull-requests: write`"
        )
    return said


def pull_request_of(variables: dict[str, str]) -> PullRequest:
    """The pull request of this job.

    Raises:
        NoComment: the job has none, or no token.
    """
    try:
        event = json.loads(Path(variables["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
        number = int(event["pull_request"]["number"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoComment("this job was not started by a pull request") from error
    token = variables.get("GITHUB_TOKEN", "")
    if not token:
        raise NoComment("the job has no token; give one as `token`")
    api = variables.get("GITHUB_API_URL", "https://api.github.com")
    return PullRequest(api, variables["GITHUB_REPOSITORY"], number, token)


def text_of(folder: Path) -> str:
    """The verdict in a gate's folder; the gate's last words if it has none.

    Raises:
        NoComment: there is neither.
    """
    verdict, said = folder / "gate.md", folder.with_name(f"{folder.name}.stderr")
    if verdict.is_file():
        return verdict.read_text(encoding="utf-8", errors="replace").strip()
    lines = said.read_text(encoding="utf-8", errors="replace").strip().splitlines() if said.is_file() else []
    if not lines:
        raise NoComment(f"{folder} has no verdict")
    return f"## Stepmark gate: no verdict\n\n```\n{lines[-1].replace('`', chr(39))}\n```"


def body_of(marker: str, text: str) -> str:
    """A comment of at most `LONGEST` characters: marker and text."""
    body = f"{marker}\n{text}"
    if len(body) <= LONGEST:
        return body
    cut = body[: LONGEST - len(SHORTENED) - len(CLOSED)].rpartition("\n")[0]
    is_open = cut.count("<details>") > cut.count("</details>")
    return f"{cut}{CLOSED if is_open else ''}{SHORTENED}"


def earlier_of(pull_request: PullRequest, marker: str) -> dict[str, Any] | None:
    """The comment of an earlier gate. A person's comment that quotes one is none."""
    user: str | None = None
    for comment in pull_request.comments():
        author = comment.get("user") or {}
        if not str(comment.get("body") or "").startswith(marker):
            continue
        if author.get("type") == "Bot":
            return comment
        user = pull_request.user() if user is None else user
        if user and author.get("login") == user:
            return comment
    return None


def commented(folder: Path, name: str, variables: dict[str, str]) -> str:
    """Write or edit the comment; return what was done.

    Raises:
        NoComment: it could not be written.
    """
    pull_request, marker = pull_request_of(variables), MARKER.format(name=re.sub(r"[^\w.]", "_", name))
    body = body_of(marker, text_of(folder))
    earlier = earlier_of(pull_request, marker)
    if earlier is None:
        pull_request.write(body)
        return "the comment is written"
    if str(earlier["body"]).replace("\r\n", "\n").strip() == body.strip():
        return "the comment has this text already"
    pull_request.edit(int(earlier["id"]), body)
    return "the comment is edited"


def main(arguments: list[str]) -> int:
    """Print what was done, or a notice with the reason why nothing was."""
    try:
        print(f"stepmark: {commented(Path(arguments[0]), arguments[1] if arguments[1:] else '', dict(os.environ))}.")
    except NoComment as reason:
        print(f"::notice title=stepmark::no comment was written: {' '.join(str(reason).split())}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
