"""GitHub's comments on one pull request, served by a process: `python github_server.py STATE`.

The file STATE has the comments, and what the token may do. The server writes it again after each request, with a list
of the requests. It answers as GitHub does, on pages, and refuses what GitHub refuses.

Source: GitHub, "REST API endpoints for issue comments", "Using pagination in the REST API".
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

COMMENTS = "/repos/own/net/issues/7/comments"
ONE = re.compile(r"/repos/own/net/issues/comments/(\d+)")
LONGEST = 65_536
TOKEN = "secret"  # noqa: S105 - of no account
JOB = {"login": "github-actions[bot]", "type": "Bot"}
FORBIDDEN = (403, {"message": "Resource not accessible by integration"})


class Refused(Exception):
    """GitHub's answer to a request that it refuses: status and values."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request by the state in the file."""

    file: Path

    def do_GET(self) -> None:
        self.answered(self.read)

    def do_POST(self) -> None:
        self.answered(self.write)

    def do_PATCH(self) -> None:
        self.answered(self.edit)

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def answered(self, answer: Any) -> None:
        """Answer, and keep the request and what it changed."""
        state = json.loads(self.file.read_text())
        state["requests"].append(f"{self.command} {self.path}")
        links = ""
        try:
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                raise Refused(401, {"message": "Bad credentials"})
            status, values, links = answer(state)
        except Refused as refused:
            status, values = refused.args
        self.file.write_text(json.dumps(state))
        body = json.dumps(values).encode()
        self.send_response(status)
        if links:
            self.send_header("Link", links)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def read(self, state: dict[str, Any]) -> tuple[int, Any, str]:
        """A page of comments, or the token's user."""
        url = urlsplit(self.path)
        if url.path == "/user":
            if not state["user"]:
                raise Refused(*FORBIDDEN)
            return 200, {"login": state["user"], "type": "User"}, ""
        if url.path != COMMENTS or not state["may_read"]:
            raise Refused(404, {"message": "Not Found"})
        asked = parse_qs(url.query)
        size, page = min(int(asked.get("per_page", ["30"])[0]), 100), int(asked.get("page", ["1"])[0])
        comments = state["comments"]
        here = f"http://{self.headers['Host']}{COMMENTS}?per_page={size}"
        last = max(1, -(-len(comments) // size))
        links = [f'<{here}&page={page - 1}>; rel="prev"'] * (page > 1)
        links += [f'<{here}&page={page + 1}>; rel="next"', f'<{here}&page={last}>; rel="last"'] * (page < last)
        return 200, comments[(page - 1) * size : page * size], ", ".join(links)

    def write(self, state: dict[str, Any]) -> tuple[int, Any, str]:
        """A new comment."""
        body = self.body(state)
        user = {"login": state["user"], "type": "User"} if state["user"] else JOB
        comment = {"id": 1 + max((one["id"] for one in state["comments"]), default=0), "body": body, "user": user}
        state["comments"].append(comment)
        return 201, comment, ""

    def edit(self, state: dict[str, Any]) -> tuple[int, Any, str]:
        """A comment's new text."""
        body, number = self.body(state), ONE.fullmatch(self.path)
        found = [one for one in state["comments"] if number and one["id"] == int(number[1])]
        if not found:
            raise Refused(404, {"message": "Not Found"})
        found[0]["body"] = body
        return 200, found[0], ""

    def body(self, state: dict[str, Any]) -> str:
        """The text that a request wants to write; GitHub keeps it with CRLF line ends."""
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = str(sent["body"])
        if not state["may_write"]:
            raise Refused(*FORBIDDEN)
        if len(body) > LONGEST:
            raise Refused(422, {"message": f"Validation Failed: body is too long (maximum is {LONGEST} characters)"})
        return body.replace("\n", "\r\n")


@dataclass(frozen=True)
class Pull:
    """A pull request with comments, on a server of this host."""

    file: Path
    address: str

    @property
    def state(self) -> dict[str, Any]:
        """Comments, and the requests so far."""
        state: dict[str, Any] = json.loads(self.file.read_text())
        return state

    @property
    def bodies(self) -> list[str]:
        """The texts of the comments, the oldest first."""
        return [one["body"].replace("\r\n", "\n") for one in self.state["comments"]]

    @property
    def writes(self) -> list[str]:
        """Methods of the requests that wrote something, or tried to."""
        return [method for method in (one.split()[0] for one in self.state["requests"]) if method != "GET"]


@contextmanager
def pull_request(folder: Path, comments: list[dict[str, Any]], **rights: Any) -> Iterator[Pull]:
    """Serve a pull request with these comments in a process.

    Args:
        folder: for the state.
        comments: as GitHub describes them.
        rights: `may_read`, `may_write`; `user`, whose token it is, if it is a person's.
    """
    file = folder / "github.json"
    state = {"comments": comments, "requests": [], "may_read": True, "may_write": True, "user": "", **rights}
    file.write_text(json.dumps(state))
    command = [sys.executable, __file__, str(file)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": ""})
    try:
        assert server.stdout is not None
        yield Pull(file, server.stdout.readline().strip())
    finally:
        server.kill()
        server.communicate()


def main() -> None:
    """Print the address, and serve until this process is killed."""
    Handler.file = Path(sys.argv[1])
    server = HTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
