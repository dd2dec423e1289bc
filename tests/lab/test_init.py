"""The node's init: it restarts like systemd or like kubelet, and leaves no orphan."""

import pytest

from tests.lab.init import delay


@pytest.mark.parametrize(
    ("restart", "crashes", "seconds"),
    [
        pytest.param("systemd", 1, 0.1, id="systemd waits 100 ms"),
        pytest.param("systemd", 500, 0.1, id="systemd never gives up and never waits longer"),
        pytest.param("kubelet", 1, 10, id="kubelet waits ten seconds at first"),
        pytest.param("kubelet", 3, 40, id="kubelet doubles"),
        pytest.param("kubelet", 30, 300, id="kubelet stops doubling at five minutes"),
    ],
)
def test_restart_delays(restart: str, crashes: int, seconds: float) -> None:
    """The delay before a restart follows the supervisor that is imitated."""
    assert delay(restart, crashes) == seconds
