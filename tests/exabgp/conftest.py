"""ExaBGP, imported into the test's process, wants settings and a log; its tests want a rig."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bgpd.exabgp.launcher import set_environment
from tests.exabgp.rig import Rig, rig


@pytest.fixture(scope="session", autouse=True)
def _exabgp() -> None:
    set_environment("CRITICAL")


@pytest.fixture(name="lab")
def _lab(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path) as found:
        yield found
