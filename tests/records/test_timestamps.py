"""Moments are written in one way wherever a record or a folder has one."""

from datetime import UTC, datetime, timedelta

import pytest

from suite.records.timestamps import for_file_name, now, seconds_since


def test_the_moment_is_written_in_utc_to_the_second():
    assert len(now()) == len("2026-01-02T03:04:05+00:00")
    assert now().endswith("+00:00")


def test_a_folder_s_name_has_the_moment_without_colons_and_zone():
    assert for_file_name("2026-01-02T03:04:05+00:00") == "2026-01-02T03-04-05"


def test_the_seconds_since_a_moment_are_those_of_the_machine_s_clock():
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert seconds_since(hour_ago.isoformat(timespec="seconds")) == pytest.approx(3600, abs=5)
    assert seconds_since(hour_ago.replace(tzinfo=None).isoformat()) == pytest.approx(3600, abs=5)


@pytest.mark.parametrize("moment", ["", "yesterday", "9999-12-31T23:59:59+00:00"])
def test_no_time_has_passed_since_what_is_no_moment_or_is_to_come(moment):
    assert seconds_since(moment) == 0.0
