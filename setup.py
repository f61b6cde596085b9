"""Copies the cases into the package when a wheel is built (docs/decisions/0036-a-wheel-that-is-whole.md)."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from setuptools import Command, setup
from setuptools.command.build import build


class BuildCases(Command):
    """Puts `cases/` into the wheel as `suite/cases/`; an installation in place uses `cases/` itself.

    Source: setuptools, "Extending or Customizing Setuptools", section "Custom Build Steps".
    """

    user_options: ClassVar[list[tuple[str, str, str]]] = []
    editable_mode = False

    def initialize_options(self) -> None:
        self.build_lib: str | None = None

    def finalize_options(self) -> None:
        self.set_undefined_options("build_py", ("build_lib", "build_lib"))

    def run(self) -> None:
        if self.editable_mode:
            return
        for target, source in self.get_output_mapping().items():
            self.mkpath(str(Path(target).parent))
            self.copy_file(source, target)

    def get_source_files(self) -> list[str]:
        return [str(file) for pattern in ("*.py", "*.toml") for file in sorted(Path("cases").glob(pattern))]

    def get_output_mapping(self) -> dict[str, str]:
        return {str(Path(str(self.build_lib), "suite", source)): source for source in self.get_source_files()}

    def get_outputs(self) -> list[str]:
        return list(self.get_output_mapping())


class Build(build):
    """The usual build, then the cases."""

    sub_commands: ClassVar = [*build.sub_commands, ("build_cases", None)]


setup(cmdclass={"build": Build, "build_cases": BuildCases})
