"""The loopback interface, over which ranks on one host exchange messages."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LOOPBACK = "127.0.0.1"
INTERFACE_VARIABLE = "GLOO_SOCKET_IFNAME"


@contextmanager
def loopback() -> Iterator[None]:
    """Let gloo connect over the loopback interface, whatever the host's name means."""
    before = os.environ.get(INTERFACE_VARIABLE)
    os.environ[INTERFACE_VARIABLE] = "lo0" if sys.platform == "darwin" else "lo"
    try:
        yield
    finally:
        os.environ.pop(INTERFACE_VARIABLE)
        if before is not None:
            os.environ[INTERFACE_VARIABLE] = before
