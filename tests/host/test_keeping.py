"""Facts about routes to peers and bound elastic IPs that only a kernel can tell."""

from typing import Any

import pytest

from tests.host.net import play

pytestmark = pytest.mark.integration

ROUTES = [
    "169.254.255.1 via 10.0.0.2 dev eth0 src 10.0.0.1 metric 179",
    "169.254.255.2 via 10.0.1.2 dev eth1 metric 179",
    "2001:db8:ff::1 via fd00::2 dev eth0 src fd00::1 metric 179 pref medium",
]
ADDRESSES = ["2001:db8::7/128", "203.0.113.7/32"]


def story(name: str) -> Any:
    """Return what came of it."""
    return play("tests.host.keeping", name, unproven=f"routes and addresses of ours: {name}")


def test_what_is_wanted_is_added_kept_over_a_restart_and_removed() -> None:
    """Both families; a second agent takes over what it finds, and removes it when told to."""
    found = story("added")
    assert found["first"][:2] == [ROUTES, ADDRESSES]
    assert found["first"][2] in {"dummy", "bridge"}
    assert found["several"] == (
        "169.254.255.1 src 10.0.0.1 metric 179"
        " nexthop via 10.0.0.2 dev eth0 weight 1 nexthop via 10.0.1.2 dev eth1 weight 1"
    )
    assert (found["stayed"], found["adopted"], found["kept"]) == (True, True, True)
    assert (found["reports"], found["restored"]) == ([], {})


def test_what_somebody_takes_away_is_put_back_and_counted() -> None:
    """Routes, addresses, the interface; an interface that is set down loses its IPv6 addresses."""
    assert story("restored") == {
        "reports": [
            "the elastic IP 2001:db8::7 was gone, and was put back",
            "the elastic IP 2001:db8::7 was gone, and was put back",
            "the elastic IP 203.0.113.7 was gone, and was put back",
            "the interface bgpd0 was gone, and was put back",
            "the route to 169.254.255.1/32 was gone, and was put back",
            "the route to 169.254.255.2/32 was gone, and was put back",
            "the route to 2001:db8:ff::1/128 was gone, and was put back",
        ],
        "restored": {"addresses": 3, "interface": 1, "routes": 3},
    }


def test_what_looks_like_ours_and_is_not_is_left_alone() -> None:
    """Protocol or metric alone, another table, a wider prefix, our interface's name; all stay."""
    found = story("lookalikes")
    other, impostor = found["problems"]
    assert other.startswith("BGPPeer peer-0: somebody else has a route to 169.254.255.1/32 by")
    assert impostor == (
        "203.0.113.7: not bound on this node: there is a bridge named bgpd0 that bgpd has not made,"
        " which is left alone: rename or remove it"
    )
    assert found["states"] == [
        "169.254.255.1/32 LeftAlone",
        "169.254.255.2/32 Present",
        "2001:db8:ff::1/128 Present",
    ]
    assert found["addresses"] == ["2001:db8::7 LeftAlone", "203.0.113.7 Missing"]
    assert found["untouched"]


def test_without_dummy_and_bridge_elastic_ips_are_on_the_loopback() -> None:
    """There they bear a mark each, so that others' addresses on it stay."""
    bound, interface, kind = story("loopback")
    assert set(ADDRESSES) < set(bound)
    assert (interface, kind) == ("lo", "loopback")


def test_what_cannot_be_is_said_and_done_as_soon_as_it_can_be() -> None:
    """No default route, a gateway on no link, a link-local one without interface; then all three.

    The host's own addresses are known, too.
    """
    said, later, routes, addresses = story("impossible")
    assert ["no IPv4 default route" in said[0], "on no link" in said[1]] == [True, True]
    assert "name the interface, as in `fe80::1%eth0`" in said[2]
    assert later == []
    assert routes == [
        "169.254.255.1 via 10.0.0.2 dev eth0 metric 179",
        "169.254.255.2 via 10.7.7.7 dev eth1 metric 179",
        "2001:db8:ff::1 via fe80::1 dev eth0 metric 179 pref medium",
    ]
    assert {"10.0.0.1", "10.7.7.1", "fd00::1"} <= set(addresses)
    assert not {one for one in addresses if one.startswith(("127.", "fe80:", "::1"))}


def test_without_the_right_to_each_route_is_a_sentence() -> None:
    """It names the peer, the route, what the kernel said, and what to do."""
    found = story("unprivileged")
    assert (
        "BGPPeer peer-0: no route to 169.254.255.1/32 via 10.0.0.2 dev eth0: Operation not"
        " permitted: it takes CAP_NET_ADMIN to change the network"
    ) in found
    assert "2001:db8::7, 203.0.113.7: not bound on this node: bgpd0 cannot be made" in found


def test_a_quarrel_is_slowed_down_and_said() -> None:
    """Somebody removes a route as fast as it can: it comes back once a second, and is there after.

    Meanwhile everything else of ours is kept as ever.
    """
    found = story("quarrel")
    assert found["condition"] == ["HostQuarrel"]
    assert found["corrections"] < found["removals"]
    assert found["over"] == []
    assert found["there"]


def test_settings_that_keep_packets_away_are_explained_and_not_changed() -> None:
    """A strict reverse path filter beside the default route, and ARP for a bound address."""
    found = story("settings")
    filtered, answered = sorted(found["problems"], reverse=True)
    assert filtered.startswith("eth1: rp_filter is strict (1) and the default route leaves by eth0")
    assert answered.startswith("10.0.1.77: bound here and inside 10.0.1.0/24, the network of eth1")
    assert found["later"] == []
    assert found["unchanged"]


def test_a_route_follows_the_default_route_in_every_shape() -> None:
    """On-link gateways, several with weights, gateways of the other family, and none at all."""
    one, six = "169.254.255.1", "2001:db8:ff::1"
    last = f"{one} dev eth0 scope link metric 179"
    assert story("ways") == [
        [f"{one} via 10.9.9.9 dev eth0 metric 179 onlink"],
        [
            (
                f"{one} metric 179 nexthop via 10.9.9.9 dev eth0 weight 3 onlink"
                " nexthop via 10.0.1.2 dev eth1 weight 1"
            )
        ],
        [f"{one} via inet6 fd00::2 dev eth0 metric 179"],
        [
            (
                f"{one} metric 179 nexthop via inet6 fd00::2 dev eth0 weight 1"
                " nexthop via 10.0.1.2 dev eth1 weight 1"
            )
        ],
        [last],
        [last, f"{six} via fe80::1 dev eth0 metric 179 pref medium"],
        [
            last,
            (
                f"{six} metric 179 pref medium nexthop via fd00::2 dev eth0 weight 2"
                " nexthop via fe80::2 dev eth1 weight 1"
            ),
        ],
        [last, f"{six} dev eth1 metric 179 pref medium"],
    ]


def test_while_a_thousand_addresses_are_bound_a_route_is_kept_too() -> None:
    """They are bound piece by piece."""
    assert story("many") == [1000, ["the route to 169.254.255.1/32 was gone, and was put back"]]


def test_a_program_on_the_host_sees_the_clients_own_addresses() -> None:
    """At the elastic IP, in both families; answers come from there."""
    assert story("reached") == [
        ["198.51.100.9", "203.0.113.7"],
        ["2001:db8:9::9", "2001:db8::7"],
    ]


def test_a_kernel_that_cannot_be_asked_is_unknown_and_nothing_changes() -> None:
    """It is tried again, and then all is done."""
    said, unknown, later = story("no_room")
    assert said == [["HostUnknown", "this host's network cannot be looked at: Too many open files"]]
    assert unknown
    assert later == []
