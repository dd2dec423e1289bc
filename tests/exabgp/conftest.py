"""ExaBGP, imported into the test's process, wants settings and a log."""

import pytest

from bgpd.exabgp.launcher import set_environment


@pytest.fixture(scope="session", autouse=True)
def _exabgp() -> None:
    set_environment("CRITICAL")
