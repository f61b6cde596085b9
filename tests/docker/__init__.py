"""Tests of `docker/`, whose scripts import each other by their names."""

import sys

from tests.conftest import PROJECT

SCRIPTS = PROJECT / "docker"
sys.path[:0] = [str(SCRIPTS), str(SCRIPTS / "base")]
