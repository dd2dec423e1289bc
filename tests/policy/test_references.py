"""What a peer names and nobody has is told, and costs no session."""

from collections.abc import Mapping

import pytest

from bgpd.model.configuration import BFDProfile
from tests.policy.build import Cluster, advertisement, peer, pool


@pytest.mark.parametrize(
    ("profiles", "told"),
    [
        pytest.param(
            {"fast": BFDProfile(name="fast")}, 0, id="a profile that is there is not missing"
        ),
        pytest.param({}, 1, id="a profile that nobody has is missing"),
        pytest.param(None, 0, id="where profiles are not read, nothing is known of them"),
    ],
)
def test_a_profile_that_is_not_there(profiles: Mapping[str, BFDProfile] | None, told: int) -> None:
    """The peer keeps its session, and a condition names what is missing."""
    context = Cluster(peers=(peer(bfd_profile="fast"),), bfd_profiles=profiles).context()
    missing = [one for one in context.conditions if one.type == "ReferenceMissing"]
    assert len(missing) == told
    assert all("spec.bfdProfile names BFDProfile fast" in one.message for one in missing)
    assert len(context.peers) == 1


@pytest.mark.parametrize(
    ("echo_mode", "addresses", "peers", "told"),
    [
        pytest.param(True, "2001:db8:1::/64", (), 1, id="echo mode and IPv6 do not go together"),
        pytest.param(True, "198.51.100.0/24", (), 0, id="echo mode goes with IPv4"),
        pytest.param(False, "2001:db8:1::/64", (), 0, id="IPv6 goes without echo mode"),
        pytest.param(True, "2001:db8:1::/64", ("r2",), 0, id="it is about what this peer hears"),
    ],
)
def test_echo_mode_is_for_ipv4(
    echo_mode: bool, addresses: str, peers: tuple[str, ...], told: int
) -> None:
    """A condition says so, and the session goes on."""
    context = Cluster(
        peers=(peer(bfd_profile="fast"),),
        pools=(pool("p", addresses),),
        advertisements=(advertisement(peers=peers),),
        bfd_profiles={"fast": BFDProfile(name="fast", echo_mode=echo_mode)},
    ).context()
    unfit = [one for one in context.conditions if one.type == "ProfileUnfit"]
    assert len(unfit) == told
    assert all("echoMode" in one.message for one in unfit)
    assert len(context.peers) == 1
