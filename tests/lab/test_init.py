"""The node's init: it restarts like systemd or like kubelet, and leaves no orphan."""

import signal
import sys
from pathlib import Path

import pytest

from tests.lab.init import Service, delay, obey


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


def test_an_order_ends_or_starts_exactly_what_it_names(tmp_path: Path) -> None:
    """What was ended stays away until it is started again, whatever its supervisor would do."""
    command = [sys.executable, "-S", "-E", "-c", "import signal; signal.pause()"]
    first, second = (Service(name, command, "systemd", tmp_path) for name in ("one", "two"))
    for service in (first, second):
        service.start(0.0)
    assert first.process is not None
    assert second.process is not None
    try:
        obey([first, second], b"kill one\n", 1.0)
        assert first.process.wait(20) == -signal.SIGKILL
        first.ended(1.1)
        assert (first.wanted, second.wanted) == (False, True)
        assert second.process.poll() is None
        obey([first, second], b"start one\nstop two\n", 2.0)
        assert second.process.wait(20) == -signal.SIGTERM
        assert (first.wanted, first.due) == (True, 2.0)
    finally:
        for service in (first, second):
            if service.process is not None:
                service.process.kill()
                service.process.wait()
