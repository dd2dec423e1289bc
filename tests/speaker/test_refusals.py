"""What an agent must not be able to say: refused with a sentence before it means anything."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.ipc.message import decode, encode
from bgpd.model.errors import ProtocolError
from tests.speaker.world import World


def line(**changes: object) -> bytes:
    """Return a `Desired` as JSON with *changes* in its first peer or first advertisement."""
    message = json.loads(encode(World(1).desired("n1")))
    for name, value in changes.items():
        part, _, field = name.partition("__")
        message[part][0][field] = value
    return json.dumps(message).encode()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"peers__peer_asn": 0}, "peer_asn: 0 must be 1..4294967295", id="ASN 0"),
        pytest.param({"peers__port": 70000}, "port: 70000 must be 1..65535", id="a port too high"),
        pytest.param({"peers__hold_time": 2}, "hold_time: 2 must be 3..65535", id="hold time 2"),
        pytest.param({"peers__address": "::1%x"}, "canonical form", id="an address with a zone"),
        pytest.param(
            {"peers__address": "x; } neighbor y {"}, "canonical form", id="configuration as address"
        ),
        pytest.param(
            {"advertisements__rank": 256}, "rank: 256 must be 0..255", id="a rank too high"
        ),
        pytest.param(
            {"advertisements__communities": ["65000:99999"]}, "0..65535", id="a community too big"
        ),
        pytest.param(
            {"advertisements__communities": ["no-export\n"]}, "2 numbers", id="a line break"
        ),
        pytest.param({"members__port": -1}, "port: -1", id="a negative port"),
    ],
)
def test_a_state_that_means_nothing_is_refused(changes: dict[str, object], sentence: str) -> None:
    """The socket checks meaning, too: what is refused here never reaches ExaBGP."""
    with pytest.raises(ProtocolError, match=sentence.replace(".", r"\.")):
        decode(line(**changes))


def test_the_unchanged_state_passes() -> None:
    """The table above changes exactly one thing."""
    assert encode(decode(line())) == encode(World(1).desired("n1"))


@given(st.text())
def test_any_prefix_is_left_to_the_last_gate(text: str) -> None:
    """A prefix is any text to the socket; the gate passes only what lies in a pool."""
    world = World(1)
    wishes = decode(line(advertisements__prefix=text))
    world.nodes["n1"].reflex.orders.take(wishes, world.now)
    world.run(1.5)
    assert world.nodes["n1"].prefixes() <= {"203.0.113.1/32", "203.0.113.2/32"} | {
        f"203.0.113.{last}/32" for last in range(256)
    }
