"""The values that flow from a section's module to the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture that the page's script draws when a reader comes near it.

    Attributes:
        id: of its element, unique on the page.
        title: the quantity, and over what.
        reading: one line about what to see in it, made from the figures.
        specification: of Vega-Lite. Data named `cases` are the cases that the filter shows, an object each with the
            keys of `suite.report.data`; other data are values in the specification.
        twin: id of the table that has the same figures.
    """

    id: str
    title: str
    reading: str
    specification: Mapping[str, Any]
    twin: str


@dataclass(frozen=True, slots=True)
class View:
    """A section of the page.

    Attributes:
        id: of its element; links lead to it.
        title: its heading, which says what one learns.
        navigation: its link under the first screen; empty without one.
        template: file in `views/`. It finds `values` under the name `view`, and the charts by id under `charts`.
        values: what the template shows.
    """

    id: str
    title: str
    navigation: str
    template: str
    values: Mapping[str, Any]
    charts: tuple[Chart, ...] = ()

    @property
    def name(self) -> str:
        """`ranking` of `ranking.html.j2`; its style sheet and script have the same name."""
        return self.template.split(".")[0]

    @property
    def charts_by_id(self) -> dict[str, Chart]:
        """The charts as the template finds them."""
        return {one.id: one for one in self.charts}

    @property
    def shown(self) -> SimpleNamespace:
        """The values as the template finds them."""
        return SimpleNamespace(**self.values)
