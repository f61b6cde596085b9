"""Moments are written in one way wherever a record or a folder has one."""

from suite.records.timestamps import for_file_name, now


def test_the_moment_is_written_in_utc_to_the_second():
    assert len(now()) == len("2026-01-02T03:04:05+00:00")
    assert now().endswith("+00:00")


def test_a_folder_s_name_has_the_moment_without_colons_and_zone():
    assert for_file_name("2026-01-02T03:04:05+00:00") == "2026-01-02T03-04-05"
