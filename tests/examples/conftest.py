"""What the tests of a host share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(name="directory")
def _directory() -> Iterator[Path]:
    """Return a directory that is not below one that root alone may enter."""
    with tempfile.TemporaryDirectory(prefix="bgpd-example-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
