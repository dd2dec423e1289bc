"""Attempts to connect that come to nothing, and what a person is told of each."""

from dataclasses import replace

import pytest

from bgpd.model.peer import Peer
from bgpd.model.prefix import Address
from tests.exabgp.link import GHOST, ROUTER_V6, peer
from tests.exabgp.rig import Rig
from tests.exabgp.space import eventually

pytestmark = pytest.mark.integration

NOT_OURS = Address("10.9.0.77")
NOWHERE = Address("198.51.100.9")
"""An address that this host has no route to."""


@pytest.mark.parametrize(
    ("wanted", "parts"),
    [
        pytest.param(
            peer(),
            ["10.9.0.2:179 refuses connections (connection refused)", "BGP does not run there"],
            id="nothing listens at the router",
        ),
        pytest.param(
            replace(peer(ROUTER_V6), port=1790),
            ["[fd09::2]:1790 refuses connections", "another port"],
            id="nothing listens on that port, over IPv6",
        ),
        pytest.param(
            replace(peer(), local_address=NOT_OURS),
            ["10.9.0.77 is no address of this host", "sourceAddress"],
            id="the source address is not there",
        ),
        pytest.param(
            replace(peer(NOWHERE), password="s" * 8),
            ["no route to 198.51.100.9", "gateway"],
            id="there is no route",
        ),
        pytest.param(
            peer(GHOST),
            ["10.9.0.66:179", "does not answer 10.9.0.1", "MD5 password"],
            id="nobody has the address",
        ),
    ],
)
def test_an_attempt_that_fails_says_what_to_do(lab: Rig, wanted: Peer, parts: list[str]) -> None:
    """The kernel's answer, in a sentence with addresses and the field to look at."""
    lab.speaker.start(wanted)

    def told() -> bool:
        lab.speaker.read(0.1)
        found = lab.speaker.states.get(wanted.address)
        return found is not None and all(part in found.error for part in parts)

    eventually(told, f"a sentence with {parts}")
