"""A speaker starts without a name server: ExaBGP asks one while it is imported."""

import subprocess
import sys

import pytest

_ASKING = "import socket\ndef ask(*_): raise SystemExit('asked')\nsocket.getfqdn = ask\n"


@pytest.mark.parametrize(
    ("module", "asks"),
    [("bgpd.exabgp.launcher", False), ("exabgp.bgp.message.open.capability.hostname", True)],
    ids=["the launcher asks nobody", "ExaBGP alone does"],
)
def test_who_asks_a_name_server_to_start(module: str, asks: bool) -> None:
    """Name servers that do not answer cost ten seconds: longer than a router takes to restart."""
    done = subprocess.run(
        [sys.executable, "-c", f"{_ASKING}import {module}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert (done.returncode, done.stderr.strip()) == ((1, "asked") if asks else (0, ""))
