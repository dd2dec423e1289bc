"""What the kernels of a real network tell each other, in namespaces of our own."""

import pytest

from tests.mesh.wire import play

pytestmark = pytest.mark.integration


def test_a_living_kernel_refuses_in_its_own_name() -> None:
    """A refusal through a router counts when it comes from the member itself."""
    assert play("refusal_from_the_member_itself") == {
        "10.0.2.2": ["10.0.2.2"],
        "fd00:2::2": ["fd00:2::2"],
    }


def test_a_router_cannot_speak_for_a_dead_member() -> None:
    """The same refusal from a router's address is counted, and proves no life."""
    assert play("refusal_from_a_router") == {"10.0.2.2": [0, 1], "fd00:2::2": [0, 1]}


def test_a_network_that_forbids_is_counted_by_cause() -> None:
    """No route and a firewall rule are told apart, and neither raises."""
    assert play("no_route") == {
        "counters": {
            "send_unreachable": 1,
            "probe_failed": 1,
            "send_denied": 1,
            "send_closed": 1,
        },
        "route": "no route to 198.51.100.1: Network is unreachable",
    }


def test_echoes_tell_a_living_kernel_from_a_dead_one() -> None:
    """Over both families, with and without the right to ping sockets, nothing is overheard."""
    fine = {"answered": True, "silent": True, "overheard": 0}
    assert play("echoes") == {
        f"{mode} {there}": {"mode": mode, **fine}
        for mode in ("ping", "raw")
        for there in ("10.0.2.2", "fd00:2::2")
    }


def test_without_any_right_to_echoes_the_mesh_still_works() -> None:
    """Then the mode says so, probing does nothing, and refusals are still heard."""
    assert play("no_privilege") == {"result": ["none", 1]}


def test_heartbeats_and_echoes_are_marked_as_network_control() -> None:
    """On the wire the traffic class is CS6, so that a full queue drops others first."""
    assert play("marks") == {
        "10.0.2.2": 0xC0,
        "echo 10.0.2.2": 0xC0,
        "fd00:2::2": 0xC0,
        "echo fd00:2::2": 0xC0,
    }


def test_the_source_of_a_route_follows_the_routing_table() -> None:
    """A route with a source of its own is reported as the kernel will use it."""
    assert play("routes") == {
        "before": [["10.0.1.1", "eth0"], ["fd00:1::1", "eth0"]],
        "after": ["10.0.1.77", "eth0"],
    }


def test_an_address_that_comes_later_can_be_opened_then() -> None:
    """A transport that could not open may try again, and then works."""
    assert play("address_comes_later")["first"].startswith("TransientError: the mesh address")
