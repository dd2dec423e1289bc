"""Facts about the watcher that only a kernel can tell."""

import pytest

from tests.host.net import FAR, FIRST, SECOND, play

pytestmark = pytest.mark.integration


def story(name: str) -> object:
    """Return what came of it."""
    return play("tests.host.watching", name, unproven=f"the kernel's view of the uplinks: {name}")


def test_a_lost_uplink_is_told_and_the_last_one_is_doubt() -> None:
    """One of two is a sentence, both are Unhealthy, one is enough again."""
    assert story("carriers") == [
        ["Healthy", "eth0 and eth1 have carrier"],
        ["Healthy", "eth1 has no carrier; eth0 has"],
        ["Unhealthy", "eth0 and eth1 have no carrier"],
        ["Healthy", "eth0 has no carrier; eth1 has"],
    ]


def test_an_uplink_that_is_set_down_or_gone_has_no_carrier() -> None:
    """Though the kernel has forgotten that the peers were reached by it."""
    assert story("set_down") == {
        "course": [["Healthy", "eth0 has carrier"], ["Unhealthy", "eth0 has no carrier"]],
        "unreachable": sorted([FAR, FIRST[1]]),
    }


def test_the_watch_follows_the_routes() -> None:
    """Also to several next hops, and to one of the other family."""
    assert story("routes_move") == [
        [FIRST[0]],
        [SECOND[0]],
        sorted([FIRST[0], SECOND[0]]),
        [FIRST[1]],
    ]


def test_a_silent_gateway_is_noticed_once_and_until_it_answers() -> None:
    """Without traffic of ours, over both families; asking again in vain is no news."""
    found = story("silent_gateway")
    assert isinstance(found, dict)
    for peer in FIRST:
        assert [one for one in found[peer] if one != "Unknown"] == [
            *("Healthy", "Unhealthy", "Healthy"),
        ]


def test_an_emptied_neighbor_table_is_no_doubt() -> None:
    """`ip neigh flush` says FAILED of every neighbor, and none of them has failed."""
    assert story("flushed") == ["Healthy", "Unknown"]


def test_a_flood_of_changes_hides_no_lost_uplink() -> None:
    """The kernel drops what it cannot deliver, and says so."""
    assert story("flood") == {"lost": True}


def test_without_netlink_nothing_is_known_until_there_is_netlink() -> None:
    """A sentence says why; it is tried again."""
    assert story("no_room") == [
        [
            "Unknown",
            "the kernel's view of the uplinks cannot be had: Too many open files",
        ],
        ["Healthy", "eth0 has carrier"],
    ]


def test_no_capability_is_needed_to_watch() -> None:
    """A datagram makes the kernel ask where an order may not be given."""
    assert story("unprivileged") == (
        '{"carrier": ["Healthy", "eth0 has carrier"],'
        f' "gateway": ["Healthy", "{FIRST[0]} and {FIRST[1]} answer"]}}'
    )
