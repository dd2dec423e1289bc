"""Facts about moving the default route that only a kernel can tell."""

import json

import pytest

from tests.host.net import FIRST, SECOND, play

pytestmark = pytest.mark.integration

OURS = "default via {} dev {} proto 179"
OURS6 = "default via {} dev {} proto 179 metric 1024 pref medium"


def story(name: str) -> object:
    """Return what came of it."""
    return play("tests.host.leaving", name, unproven=f"the default route avoids a router: {name}")


def test_the_way_out_avoids_the_routers_that_are_down() -> None:
    """Both families, never the last next hop, and at the end all is as it was found."""
    assert story("around") == {
        "first": [OURS.format(SECOND[0], "eth1"), OURS6.format(SECOND[1], "eth1")],
        "second": [OURS.format(FIRST[0], "eth0"), OURS6.format(FIRST[1], "eth0")],
        "never the last": True,
        "files": [[], ["egress.json"], []],
        "as found": True,
        "reports": [],
    }


def test_what_else_a_route_says_is_kept() -> None:
    """Source, MTU and metric stay; the better route borrows the way of the next one."""
    assert story("settings") == {
        "moved": [
            f"default via {SECOND[0]} dev eth1 proto 179 src 10.0.0.1 metric 50 mtu 1400",
            f"default via {SECOND[0]} dev eth1 metric 70",
            f"default via {SECOND[1]} dev eth1 proto 179 metric 60 mtu 1300 pref high",
            f"default via {SECOND[1]} dev eth1 metric 80 pref medium",
        ],
        "back": True,
        "reports": [],
    }


def test_a_killed_agent_leaves_nothing_that_the_next_one_cannot_put_back() -> None:
    """`kill -9`, then a start that moves nothing any more; or one that goes on where it ended."""
    assert story("killed") == [True] * 9


def test_what_others_do_to_the_default_route_wins() -> None:
    """It is reported once; a route that is new is a new beginning."""
    found = story("somebody")
    assert isinstance(found, dict)
    theirs = f"default via {FIRST[0]} dev eth0"
    whole = (
        "default metric 1024 pref medium"
        f" nexthop via {FIRST[1]} dev eth0 weight 1 nexthop via {SECOND[1]} dev eth1 weight 1"
    )
    assert found["seen"] == [
        [theirs],
        [theirs, OURS6.format(SECOND[1], "eth1")],
        [theirs, whole],
    ]
    changed, removed = found["reports"]
    assert changed.startswith("somebody changed the IPv4 default route of metric 0")
    assert removed.startswith("somebody removed the IPv6 default route of metric 1024")


def test_an_interface_that_is_set_down_takes_no_default_route_with_it() -> None:
    """Nor with its last address: without us the original would have lived on."""
    assert story("cut") == {
        "left": [OURS.format(FIRST[0], "eth0"), OURS6.format(FIRST[1], "eth0")],
        "unnumbered": [OURS.format(FIRST[0], "eth0"), OURS6.format(SECOND[1], "eth1")],
        "reports": [],
        "files": [],
    }


def test_a_routing_daemons_route_is_left_to_it() -> None:
    """It would put back what we take out."""
    sentence = (
        f"the IPv4 default route of metric 0 via {FIRST[0]} and via {SECOND[0]} leads to a router"
        " that is down and is left alone: a routing daemon or a router put it there (proto 11)"
    )
    assert story("daemon") == [[sentence], True]


def test_what_cannot_be_remembered_is_not_moved() -> None:
    """Without a directory to write to, a crash could not be undone."""
    sentence = (
        "/nowhere/egress.json: not written: No such file or directory; no default route is changed"
        " until the directory is writable, with room"
    )
    assert story("no_disk") == [[sentence], True]


def test_without_the_right_to_a_sentence_says_so() -> None:
    """CAP_NET_ADMIN is what it takes."""
    four, six = json.loads(str(story("unprivileged")))
    for family, sentence in (("IPv4", four), ("IPv6", six)):
        assert sentence.startswith(f"the kernel refuses the {family} default route of metric")
        assert sentence.endswith(": Operation not permitted")


def test_a_route_that_the_kernel_refuses_keeps_back_no_other() -> None:
    """One family's original needs an address that is another one now; the other's is put back."""
    sentence = (
        f"the kernel refuses the IPv4 default route of metric 0 via {FIRST[0]} and via"
        f" {SECOND[0]}: Network is unreachable"
    )
    assert story("refused") == [
        [OURS.format(SECOND[0], "eth1"), True],
        [sentence],
        ["egress.json"],
    ]
