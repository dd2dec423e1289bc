"""Facts about `bgpd host cleanup` and `bgpctl get host`, and an agent that dies and returns."""

from typing import Any

import pytest

from tests.host.net import play

pytestmark = pytest.mark.integration

ROUTE = "169.254.255.1 via 10.0.0.2 dev eth0 src 10.0.0.1 metric 179"


def story(name: str) -> Any:
    """Return what came of it."""
    return play("tests.host.cleaning", name, unproven=f"a host is as it was: {name}")


def test_a_cleanup_says_what_it_does_and_leaves_the_host_as_it_was() -> None:
    """Host routes are removed, changed default routes are put back; a dry run does neither."""
    found = story("commands")
    status, output, errors = found["shown"]
    assert (status, errors) == (0, "")
    assert "3 routes to peers, 2 elastic IPs on bgpd0" in output
    assert "this is what the kernel has" in " ".join(output.split())
    assert found["listed"] == ["kernel", "bgpd0", 3]
    sentences = [
        "route 169.254.255.1/32 via 10.0.0.2 dev eth0 and 10.0.1.2 dev eth1",
        "route 169.254.255.2/32 via 10.0.1.2 dev eth1",
        "route 2001:db8:ff::1/128 via fd00::2 dev eth0",
        "interface bgpd0 with 2001:db8::7, 203.0.113.7",
    ]
    back = [
        "put back the IPv4 default route of metric 0 via 10.0.0.2 and via 10.0.1.2",
        "put back the IPv6 default route of metric 1024 via fd00::2 and via fd00:1::2",
    ]
    would = [*(f"would remove {one}" for one in sentences), *(f"would {one}" for one in back)]
    assert found["dry"] == [0, "".join(f"{line}\n" for line in would), ""]
    assert found["untouched"]
    done = [*(f"removed {one}" for one in sentences), *back]
    assert found["wet"] == [0, "".join(f"{line}\n" for line in done), ""]
    assert found["again"] == [0, "nothing of ours is there\n", ""]


def test_a_default_route_that_nobody_remembers_is_left_and_said() -> None:
    """Without the file a guess would be worse than a sentence; the exit status says so, too."""
    found = story("forgotten")
    assert found["left"]
    assert found["dry"] == 1
    status, output, errors = found["wet"]
    assert (status, output) == (1, "")
    assert errors.count("nobody knows any more what it was: put it right with `ip route") == 2


def test_a_host_without_any_address_has_nothing_of_ours() -> None:
    """A table that the kernel has not made yet is an empty one."""
    assert story("bare") == [0, "nothing of ours is there\n", ""]


def test_an_agent_adds_what_its_documents_want_and_the_next_one_goes_on() -> None:
    """Only the elastic IP that is served here and whose pool says so is bound.

    A kill changes nothing, a second agent counts what somebody takes, a changed pool takes effect,
    an end leaves the rest, and a cleanup is refused while an agent runs.
    """
    found = story("agent")
    assert found["seen"] == [
        [[ROUTE], ["203.0.113.7/32"]],
        [[ROUTE], ["203.0.113.7/32"]],
        [[ROUTE], []],
    ]
    status, output, errors = found["refused"]
    assert (status, output) == (75, "")
    assert "end it first, or say --force" in errors
    assert "n1: 1 route to peers, 1 elastic IP on bgpd0" in found["shown"]
    assert "put back after somebody took it away: routes 1" in found["shown"]
    assert found["wet"][:2] == [0, "removed route 169.254.255.1/32 via 10.0.0.2 dev eth0\n"]
