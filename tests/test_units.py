"""Values with units as text."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.units import SCALES, duration, interval, number, text

MAGNITUDES = st.floats(min_value=1e-12, max_value=1e15) | st.floats(min_value=-1e15, max_value=-1e-12)


def parsed(written: str, unit: str) -> float:
    """A text back in base units."""
    digits, name = re.fullmatch(r"(-?[\d.]+) ?(.*)", written).groups()
    return float(digits) * {name: size for size, name in SCALES[unit]}[name]


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (0.005124, "s", "5.124 ms"),
        (1.0, "s", "1.000 s"),
        (90.0, "s", "90.00 s"),
        (2.5e-9, "s", "2.500 ns"),
        (-0.005124, "s", "-5.124 ms"),
        (1536.0, "B", "1.500 KiB"),
        (3.0 * 2**30, "B", "3.000 GiB"),
        (0.25, "ratio", "25.00 %"),
        (12345.0, "images/s", "12.35 k images/s"),
        (1234567.0, "count", "1.235 M"),
        (7.0, "count", "7.000"),
        (0.5, "J", "500.0 mJ"),
        (42.0, "1", "42.00"),
    ],
)
def test_a_value_is_written_in_the_scale_that_suits_it(value, unit, written):
    assert text(value, unit) == written


@pytest.mark.parametrize(
    ("unit", "written"),
    [
        ("s", "0 s"),
        ("B", "0 B"),
        ("count", "0"),
        ("images/s", "0 images/s"),
        ("ratio", "0 %"),
        ("1", "0"),
        ("W", "0 W"),
    ],
)
def test_zero_is_written_in_the_base_unit(unit, written):
    assert text(0.0, unit) == written


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -float("inf")])
def test_a_value_that_is_no_number_is_written_as_a_dash(value):
    assert text(value, "s") == "–"
    assert interval(0.0, value or float("nan"), "s") == "–"


@pytest.mark.parametrize("write", [lambda: text(1.0, "parsec"), lambda: interval(1.0, 2.0, "parsec")])
def test_a_unit_outside_the_closed_set_is_an_error(write):
    with pytest.raises(KeyError, match="parsec"):
        write()


@settings(deadline=None)
@given(value=MAGNITUDES, unit=st.sampled_from(sorted(SCALES)), digits=st.integers(2, 6))
def test_a_text_parses_back_to_the_value_within_its_digits(value, unit, digits):
    assert parsed(text(value, unit, digits), unit) == pytest.approx(value, rel=0.5000001 * 10 ** (1 - digits))


@settings(deadline=None)
@given(value=MAGNITUDES, digits=st.integers(1, 8))
def test_a_number_is_written_without_an_exponent_and_with_all_its_digits(value, digits):
    written = number(value, digits)
    assert re.fullmatch(r"-?\d+(\.\d+)?", written)
    assert float(written) == pytest.approx(value, rel=0.5000001 * 10 ** (1 - digits))
    assert len(written.lstrip("-0.").replace(".", "")) >= digits


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [(5.1, 4, "5.100"), (9.9996, 4, "10.00"), (0.0999999, 4, "0.1000"), (123456.0, 4, "123500"), (0.0, 4, "0")],
)
def test_rounding_that_gains_a_digit_keeps_the_number_of_significant_ones(value, digits, written):
    assert number(value, digits) == written


def test_an_interval_has_the_one_scale_that_suits_its_upper_end():
    assert interval(0.00509, 0.00516, "s") == "[5.090, 5.160] ms"
    assert interval(0.0009, 0.0011, "s") == "[0.9000, 1.100] ms"
    assert interval(-0.01, 0.02, "ratio") == "[-1.000, 2.000] %"
    assert interval(1.0, 2.0, "count") == "[1.000, 2.000]"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (-1.0, "0 s"),
        (0.4, "0 s"),
        (48.2, "48 s"),
        (59.7, "1 min 00 s"),
        (185.0, "3 min 05 s"),
        (3599.9, "1 h 00 min"),
        (7805.0, "2 h 10 min"),
    ],
)
def test_a_duration_is_written_for_a_person_who_waits(seconds, written):
    assert duration(seconds) == written
