"""The forest plot: places on an axis that any change fits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.theme.forest import LONGEST_LABEL, MOST_ROWS, ROW_PX, SHAPES, Interval, forest, shortened

LIMITS = (0.01, "1.0 %"), (0.05, "5.0 %")


def made(change: float, half: float = 0.01, label: str = "seed_cnn-adam-cpu") -> Interval:
    """A case whose interval reaches `half` to both sides."""
    return Interval(label, "no change", change - half, change, change + half, f"{100 * change:.1f} %", "no change")


def percent(place: str) -> float:
    return float(place.removesuffix("%"))


def test_an_interval_lies_around_its_mark_and_larger_changes_lie_to_the_right():
    first, second = forest([[made(-0.02), made(0.03)]], *LIMITS).rows
    assert percent(first.left) < percent(first.mark) < percent(first.right)
    assert percent(first.mark) < percent(second.mark)
    assert second.y - first.y == ROW_PX


def test_a_plot_of_many_rows_draws_both_ends_and_counts_the_others():
    drawn = forest([[made(0.0, label=str(number)) for number in range(1000)]], *LIMITS)
    assert len(drawn.rows) == MOST_ROWS
    assert (drawn.rows[0].interval.label, drawn.rows[-1].interval.label) == ("0", "999")
    assert drawn.omitted == 1000 - MOST_ROWS
    assert forest([[made(0.0)]], *LIMITS).omitted == 0


def test_a_long_label_loses_its_middle_and_keeps_both_ends():
    label = f"residual_{'x' * 60}-adamw"
    assert len(shortened(label)) == LONGEST_LABEL
    assert shortened(label).startswith("residual_")
    assert shortened(label).endswith("-adamw")
    assert shortened("short") == "short"


@given(
    st.lists(
        st.builds(
            Interval,
            label=st.text(max_size=5),
            verdict=st.sampled_from(list(SHAPES)),
            low=st.floats(),
            change=st.floats(),
            high=st.floats(),
            figures=st.just(""),
            finding=st.just(""),
        ),
        min_size=1,
        max_size=5,
    ),
    st.floats(min_value=1e-6, max_value=0.99),
)
def test_every_place_of_any_changes_is_within_the_plot(some, margin):
    drawn = forest([some], (margin / 2, ""), (margin, ""))
    places = [place for row in drawn.rows for place in (row.left, row.mark, row.right) if place]
    places += [place for place, _ in drawn.ticks] + [place for _, place, _ in drawn.limits]
    assert all(0 <= percent(place) <= 100 for place in places)
    assert all(math.isfinite(row.interval.change) == bool(row.mark) for row in drawn.rows)


@pytest.mark.parametrize("change", [math.inf, -math.inf, math.nan])
def test_a_change_without_a_number_has_no_mark(change):
    assert forest([[made(change)]], *LIMITS).rows[0].mark == ""
