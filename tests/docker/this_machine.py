"""Images of the project's files, in which this machine's system and packages are mounted.

Podman's configuration mounts `/usr`, Python and the installed packages, read-only, into every container. So nothing is
downloaded, torch is not copied, and the containers are real: their own processes, network, users and limits.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import context
from suite.machine.containers import confined, user
from tests.conftest import MY_LEVELS, PROFILES

NAME = "localhost/stepmark"
LINKS = ("bin", "sbin", "lib", "lib64")
FOLDERS = ("proc", "sys", "dev", "run", "etc", "tmp", "var/tmp", "mnt", "stepmark/reports")
BARE = 'cgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
ENGINES = ("", *(f'[engine]\nruntime = "{runtime}"\n{BARE}' for runtime in ("crun", "runc") if shutil.which(runtime)))
"""Configurations to try: podman's own, and those for a machine without systemd, by each runtime that is there."""
CHANGES = ("ENV PATH=/opt/stepmark/bin:/usr/bin:/bin", "ENV HOME=/tmp", "USER 10001:10001", "WORKDIR /stepmark")
PYTHON = Path(sys.executable).resolve()
"""This interpreter, and not the link to it in an environment."""
COMMAND = "#!/opt/stepmark/bin/python\nimport sys\nfrom suite.cli import main\nsys.exit(main())\n"
"""The program `stepmark`, as pip installs it."""
PLACES = [path for path in dict.fromkeys(sys.path) if Path(path).name in ("site-packages", "dist-packages")]
MINE = {"mine.py": MY_LEVELS.read_text(), "mine.toml": PROFILES.replace("my_levels", "mine")}


@dataclass(frozen=True)
class Podman:
    """Podman, its variables, and a folder for archives."""

    folder: Path
    variables: Mapping[str, str]

    def said(self, *words: str) -> str:
        """The output of a command that succeeds."""
        done = self.call(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Call podman."""
        variables = {**os.environ, **self.variables}
        return subprocess.run(["podman", *words], capture_output=True, text=True, env=variables, check=False)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a container as those of Stepmark are run."""
        return self.call("run", *confined("podman", user()), *words)

    def image(self, tag: str, changed: Mapping[str, str | None] | None = None, variant: str = "full") -> str:
        """An image of the project's files; its name.

        Args:
            tag: of the name.
            changed: path from the project's top -> new text; None to leave the file out.
            variant: `test` for the tests as well.
        """
        archive = self.folder / f"{tag}.tar"
        with tarfile.open(archive, "w") as target:
            fill(target, variant, {**MINE, **(changed or {})})
        words = [word for change in CHANGES for word in ("--change", change)]
        self.said("import", *words, str(archive), f"{NAME}:{tag}")
        archive.unlink()
        return f"{NAME}:{tag}"


def fill(target: tarfile.TarFile, variant: str, changed: Mapping[str, str | None]) -> None:
    """Write the root of an image into an archive."""
    for name in LINKS:
        if Path("/", name).is_symlink():
            add_link(target, name, str(Path("/", name).readlink()))
    for name in (*FOLDERS, *(place.lstrip("/") for place in mounted())):
        add_folder(target, name)
    with tempfile.TemporaryDirectory() as made:
        (Path(made) / "wheels").mkdir()
        staged = Path(made) / "context"
        context.stage(staged, context.Wanted(variant, "this machine"), Path(made) / "wheels", "0" * 64)
        for name, text in changed.items():
            (staged / "project" / name).unlink(missing_ok=True)
            if text is not None:
                (staged / "project" / name).write_text(text)
        for file in sorted((staged / "project").rglob("*")):
            if file == staged / "project" / "reports":
                continue  # added above
            target.add(file, f"stepmark/{file.relative_to(staged / 'project')}", recursive=False)
        target.add(staged / "image.json", "etc/stepmark-image.json")
    prefix = f"opt/stepmark/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    for name in ("opt/stepmark/bin", prefix):
        add_folder(target, name)
    add_link(target, "opt/stepmark/bin/python", str(PYTHON))
    add_file(target, "opt/stepmark/pyvenv.cfg", f"home = {PYTHON.parent}\n")
    add_file(target, "opt/stepmark/bin/stepmark", COMMAND, mode=0o755)
    add_file(target, f"{prefix}/this_machine.pth", "\n".join(["/stepmark", *PLACES]) + "\n")


def add_folder(target: tarfile.TarFile, name: str) -> None:
    """Add a folder that everybody may enter, and write if it is for temporary files."""
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o1777 if name.endswith("tmp") else 0o755
    target.addfile(member)


def add_link(target: tarfile.TarFile, name: str, to: str) -> None:
    """Add a symbolic link."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, to
    target.addfile(member)


def add_file(target: tarfile.TarFile, name: str, text: str, mode: int = 0o644) -> None:
    """Add a file that everybody may read."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(text.encode()), mode
    target.addfile(member, io.BytesIO(text.encode()))


def mounted() -> list[str]:
    """Folders of this machine that containers see."""
    found = ["/usr", str(PYTHON.parent.parent), *PLACES]
    return [path for path in dict.fromkeys(found) if path == "/usr" or not path.startswith("/usr/")]


@contextmanager
def podman() -> Iterator[Podman | str]:
    """Podman with a separate storage, or why it runs no container of such an image."""
    if shutil.which("podman") is None:
        yield "podman is not installed"
        return
    if not all(Path("/", name).is_symlink() for name in LINKS[:3]):
        yield "/bin, /sbin and /lib are no links into /usr"
        return
    folder = Path(tempfile.mkdtemp(prefix="p", dir="/tmp"))  # short: podman makes sockets in it
    try:
        yield started(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def started(folder: Path) -> Podman | str:
    """Podman by the first configuration with which a container starts, or the reason of the last."""
    said = ""
    for number, engine in enumerate(ENGINES):
        place = folder / str(number)
        place.mkdir()
        volumes = json.dumps([f"{path}:{path}:ro" for path in mounted()])
        (place / "containers.conf").write_text(f"[containers]\nvolumes = {volumes}\n{engine}")
        storage = f'driver = "vfs"\ngraphroot = "{place}/storage"\nrunroot = "{place}/run"\n'
        (place / "storage.conf").write_text(f"[storage]\n{storage}")
        names = {"CONTAINERS_CONF": "containers.conf", "CONTAINERS_STORAGE_CONF": "storage.conf"}
        found = Podman(place, {name: str(place / file) for name, file in names.items()})
        done = found.run("--network", "none", found.image("tried"), "python", "-c", "import torch")
        if done.returncode == 0:
            return found
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    return said
