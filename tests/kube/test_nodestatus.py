"""What an agent writes about its node: everything that matters, bounded, and nothing that moves."""

import json
from dataclasses import replace
from typing import Any

import pytest

from bgpd.kube.nodeform import (
    LONG,
    MOST_FAILING,
    MOST_MEMBERS,
    MOST_PROBLEMS,
    MOST_ROUTES,
    MOST_STAYING,
    SHORT,
)
from bgpd.kube.nodestatus import document, identity
from bgpd.kube.problem import Problem, Standing
from bgpd.model.health import Health, ProbeResult
from bgpd.model.member import Member, NodeName
from bgpd.model.peer import BFDState, PeerName, PeerState
from bgpd.model.prefix import Address, Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.status import (
    BFDStatus,
    Condition,
    DrainPhase,
    DrainStatus,
    HealthStatus,
    HostAddressStatus,
    HostRouteStatus,
    HostState,
    HostStatus,
    MemberState,
    NodeStatus,
    RouteStatus,
)
from tests.ctl.samples import DRAINED, MESH, NODE, NOW, SPEAKER, member, route, session

ME = Member(name=NodeName("n1"), address=Address("10.0.0.1"))
LATER = NOW + 60
BUSY = 1_400_000
"""Bytes of the largest object that etcd takes are 1.5 MiB."""


def status(node: NodeStatus, **more: Any) -> dict[str, Any]:
    """Return the status that is written for *node*."""
    found: dict[str, Any] = document(node, now=NOW, **more)["status"]
    return found


def with_speaker(**changes: Any) -> NodeStatus:
    """Return a node whose speaker differs by *changes*."""
    return replace(NODE, speaker=replace(SPEAKER, **changes))


def condition(node: NodeStatus, type_: str, **more: Any) -> tuple[str, str, str]:
    """Return status, reason and message of the condition *type_*."""
    (found,) = (one for one in status(node, **more)["conditions"] if one["type"] == type_)
    return found["status"], found["reason"], found["message"]


def problem(message: str = "is wrong", **changes: Any) -> Problem:
    """Return a problem with a document."""
    fields = {"source": "bgpd-system/tor-a", "kind": "BGPPeer", "name": "tor-a", **changes}
    return Problem(message=message, **fields)


def test_a_status_says_what_bgpctl_would_say() -> None:
    """Sessions, routes with their Services, what is withheld and why, mesh, generation, counts."""
    found = status(NODE, member=ME)
    assert (found["node"], found["takeoverGeneration"]) == ("n1", 7)
    assert [one["peer"] for one in found["sessions"]] == ["tor-a", "tor-b"]
    assert found["sessions"][0] == {
        "peer": "tor-a",
        "address": "169.254.255.1",
        "peerASN": 65530,
        "localASN": 65000,
        "state": "Established",
        "since": "2027-01-15T04:48:00Z",
        "holdTimeSeconds": 90,
        "peerRouterID": "169.254.255.1",
        "lever": "med",
        "advertised": 3,
        "transitions": 0,
    }
    assert found["routes"][2] == {
        "prefix": "203.0.113.9/32",
        "services": ["shop/cart", "shop/checkout-with-a-rather-long-name"],
        "peers": ["tor-a", "tor-b"],
        "rank": 100,
    }
    assert found["withheld"] == [
        {
            "service": "default/dns",
            "prefix": "203.0.113.44/32",
            "reason": "NoLocalEndpoints",
            "message": "no ready endpoint is on this node, and the traffic policy is Local",
        }
    ]
    assert found["member"] == {"address": "10.0.0.1", "port": 7179}
    assert [one["name"] for one in found["mesh"]["members"]] == ["n2", "n3"]
    assert found["configuration"] == {
        "source": "directory:/etc/bgpd/config",
        "synced": True,
        "documents": 24,
    }
    assert found["counts"] == {
        "sessions": 2,
        "established": 2,
        "routes": 3,
        "withheld": 1,
        "members": 2,
        "problems": 0,
    }
    assert not {"health", "drain"} & found.keys()
    assert json.loads(json.dumps(found)) == found


PROVIDED = replace(
    with_speaker(
        sessions=(
            session(
                "packet-169.254.255.1",
                "169.254.255.1",
                document="packet",
                gateway="10.0.0.254",
                local_address=Address("10.0.0.1"),
                max_prefixes=10,
            ),
            session("tor-b", "192.0.2.2"),
        ),
        withheld=(
            Withheld(
                service="",
                prefix=Prefix("203.0.113.11/32"),
                reason=Reason.PREFIX_LIMIT,
                message="peer packet-169.254.255.1 accepts at most 10 prefixes",
                peer=PeerName("packet-169.254.255.1"),
            ),
        ),
    ),
    providers={PeerName("packet"): "packet"},
    host=HostStatus(
        interface="bgpd0",
        interface_kind="dummy",
        routes=(
            HostRouteStatus(
                destination=Prefix("169.254.255.1/32"),
                via=("10.0.0.254 dev bond0",),
                source=Address("10.0.0.1"),
                peer=PeerName("packet-169.254.255.1"),
            ),
        ),
        addresses=(
            HostAddressStatus(address=Address("203.0.113.1")),
            HostAddressStatus(
                address=Address("203.0.113.9"), state=HostState.MISSING, detail="no permission"
            ),
        ),
        restored={"routes": 2, "addresses": 1},
        problems=("rp_filter of bond0 is 1",),
    ),
)
"""A node whose provider told of a session, with a route to it and elastic IPs on the host."""


def test_a_status_says_who_told_of_a_session_and_what_is_on_the_host() -> None:
    """The document and its provider beside the session, and what was added to the node."""
    found = status(PROVIDED)
    first, second = found["sessions"]
    assert (first["document"], first["provider"]) == ("packet", "packet")
    assert (first["gateway"], first["localAddress"]) == ("10.0.0.254", "10.0.0.1")
    assert not {"document", "provider", "gateway"} & second.keys()
    assert found["counts"]["limited"] == 1
    assert found["host"] == {
        "interface": "bgpd0",
        "interfaceKind": "dummy",
        "routes": [
            {
                "destination": "169.254.255.1/32",
                "via": ["10.0.0.254 dev bond0"],
                "source": "10.0.0.1",
                "peer": "packet-169.254.255.1",
                "state": "Present",
            }
        ],
        "addresses": [
            {"address": "203.0.113.9", "state": "Missing", "detail": "no permission"},
            {"address": "203.0.113.1", "state": "Present"},
        ],
        "bound": 1,
        "restored": 3,
        "problems": ["rp_filter of bond0 is 1"],
    }
    assert "host" not in status(NODE)


def test_a_status_says_how_the_node_fares() -> None:
    """What is looked at, why it is in doubt, what fails, how far a drain is, and BFD."""
    assert DRAINED.agent is not None
    found = status(DRAINED.agent)
    assert found["health"] == {
        "node": [
            {"name": "carrier", "health": "Healthy", "message": "eth0 has carrier"},
            {"name": "gateway", "health": "Healthy"},
            {
                "name": "kube-proxy",
                "health": "Unhealthy",
                "message": "http://127.0.0.1:10256/healthz: nobody listens on 127.0.0.1:10256",
            },
            {"name": "kubelet", "health": "Unknown"},
        ],
        "doubt": ["kube-proxy has been unhealthy for 12 s"],
        "failing": [
            {
                "service": "shop/cart",
                "check": "shop/cart-answers",
                "message": "10.244.1.7:8080 answered 503",
                "since": "2027-01-15T07:59:56Z",
            }
        ],
    }
    assert found["counts"]["failing"] == 1
    assert found["drain"] == {
        "phase": "Waiting",
        "cause": "a person asked for it; node n1 is cordoned",
        "since": "2027-01-15T07:59:30Z",
        "alone": ["203.0.113.9/32"],
        "busy": ["2001:db8::7/128"],
    }
    up, down = (one["bfd"] for one in found["sessions"])
    assert up == {
        "state": "Up",
        "since": "2027-01-15T04:48:01Z",
        "detectionMilliseconds": 150,
        "remoteDetectionMilliseconds": 150,
        "transitions": 0,
    }
    assert (down["state"], down["lastError"]) == ("Down", "the router was silent for 151 ms")


def test_more_probes_of_the_same_health_write_nothing() -> None:
    """A thousand answers that all say yes, or all say no, are no news."""
    assert DRAINED.agent is not None
    health = DRAINED.agent.health
    asked = tuple(
        replace(one, probes=one.probes + 9, failures=one.failures + 9) for one in health.probes
    )
    later = replace(DRAINED.agent, health=replace(health, probes=asked))
    assert status(later) == status(DRAINED.agent)


def test_the_object_belongs_to_its_node() -> None:
    """It has the Node's name and goes with the Node."""
    made = identity("n1", "u-1")
    assert made["metadata"] == {
        "name": "n1",
        "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "u-1"}],
    }
    assert "status" not in made


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        pytest.param(NODE, ("True", "Advertising", "2 of 2 sessions are established"), id="fine"),
        pytest.param(with_speaker(sessions=(session("a", "192.0.2.1"),
                                            session("b", "192.0.2.2", state=PeerState.ACTIVE))),
                     ("True", "Advertising", "1 of 2 sessions are established; not so b"),
                     id="one session of two"),
        pytest.param(with_speaker(sessions=(session("b", "192.0.2.2", state=PeerState.ACTIVE),)),
                     ("False", "NoSession", "no session is established; tried are b"),
                     id="no session"),
        pytest.param(with_speaker(sessions=()), ("False", "NoPeer", "no BGPPeer selects this node"),
                     id="no peer"),
        pytest.param(with_speaker(draining=True),
                     ("False", "Draining",
                      "the node is being drained, so its routes are the last choice"), id="drain"),
        pytest.param(with_speaker(draining=True, drain=DrainStatus(phase=DrainPhase.DRAINED,
                                                                   cause="the node shuts down")),
                     ("False", "Draining",
                      "the node is drained, so its routes are withdrawn: the node shuts down"),
                     id="drained"),
        pytest.param(with_speaker(exabgp_pid=None),
                     ("False", "ExabgpNotRunning", "ExaBGP is not running; it is started again"),
                     id="no ExaBGP"),
        pytest.param(replace(NODE, speaker=None),
                     ("False", "SpeakerUnreachable",
                      "the speaker does not answer its agent; its routes stay"), id="no speaker"),
        pytest.param(replace(NODE, synced=False),
                     ("False", "NotSynced",
                      "not everything has been read from directory:/etc/bgpd/config yet"),
                     id="not synced"),
    ],
)  # fmt: skip
def test_ready_says_whether_the_node_can_carry_traffic(
    node: NodeStatus, expected: tuple[str, str, str]
) -> None:
    """The first reason why not is the one that is told."""
    assert condition(node, "Ready") == expected


def test_takeover_armed_is_unknown_where_nobody_can_know() -> None:
    """And false as soon as too few members are alive."""
    words = "3 of 3 members are alive, this one included"
    assert condition(NODE, "TakeoverArmed") == ("True", "Quorum", words)
    alone = with_speaker(mesh=replace(MESH, armed=False, reachable=1))
    assert condition(alone, "TakeoverArmed")[:2] == ("False", "NoQuorum")
    assert condition(with_speaker(mesh=None), "TakeoverArmed")[:2] == ("Unknown", "NoMesh")


def test_configuration_valid_says_what_is_not() -> None:
    """Few sentences and how many more; a field without effect does not make it invalid."""
    assert condition(NODE, "ConfigurationValid") == ("True", "Accepted", "24 objects are in force")
    notice = problem("has no effect", standing=Standing.IGNORED)
    assert condition(NODE, "ConfigurationValid", problems=[notice])[0] == "True"
    several = [problem(f"{number} is wrong") for number in range(5)]
    found = condition(NODE, "ConfigurationValid", problems=several)
    words = "0 is wrong; 1 is wrong; 2 is wrong; and 2 more"
    assert found == ("False", "Refused", words)
    refused = Condition(type="PeersRefused", status=True, reason="CannotConfigure", message="why")
    assert condition(with_speaker(conditions=(refused,)), "ConfigurationValid")[2] == "why"
    assert condition(replace(NODE, synced=False), "ConfigurationValid")[0] == "Unknown"


def test_conditions_of_one_type_become_one() -> None:
    """The server keeps one for each type, so none may hide another."""
    several = tuple(
        Condition(type="ReferenceMissing", status=True, reason="NoSuchObject", message=message)
        for message in ("b", "a")
    )
    quiet = Condition(type="NotHeard", status=False, reason="Heard", message="fine")
    found = status(replace(NODE, conditions=several), problems=())
    assert condition(replace(NODE, conditions=several), "ReferenceMissing")[2] == "a; b"
    types = [one["type"] for one in found["conditions"]]
    assert types[:3] == ["Ready", "TakeoverArmed", "ConfigurationValid"]
    assert len(types) == len(set(types))
    heard = condition(with_speaker(mesh=replace(MESH, conditions=(quiet,))), "NotHeard")
    assert heard == ("False", "Heard", "fine")


def test_a_speaker_that_does_not_answer_has_no_zero_routes() -> None:
    """Unknown is not empty: what it advertises is left out, and where it listens stays."""
    found = status(replace(NODE, speaker=None), member=ME)
    assert found["counts"] == {"withheld": 1, "problems": 0}
    assert not {"routes", "sessions", "mesh", "takeoverGeneration"} & found.keys()
    assert found["member"]["address"] == "10.0.0.1"


def test_what_moves_without_meaning_anything_is_not_written() -> None:
    """Neither time, nor heartbeats, nor counters, nor the order of things make a difference."""
    before = document(NODE, now=NOW)
    moved = replace(
        MESH,
        raises=4,
        counters={"ignored": 9},
        members=(
            member("n2", "10.0.0.2", last_heard_milliseconds=39.0, generation=8),
            member("n3", "10.0.0.3", loss_percent=1.2, misses_allowed=5),
        ),
    )
    after = with_speaker(
        mesh=moved, counters={"x": 1}, routes=tuple(reversed(SPEAKER.routes)), exabgp_pid=43
    )
    assert document(after, now=LATER, previous=before) == before


def test_a_condition_keeps_the_time_of_its_last_change() -> None:
    """Another reason is no change, another status is."""
    before = document(NODE, now=NOW)
    drained = document(with_speaker(draining=True), now=LATER, previous=before)
    without = document(with_speaker(sessions=()), now=LATER + 60, previous=drained)
    times = [
        {one["type"]: one["lastTransitionTime"] for one in found["status"]["conditions"]}
        for found in (before, drained, without)
    ]
    assert times[0]["Ready"] == "2027-01-15T08:00:00Z"
    assert times[1]["Ready"] == times[2]["Ready"] == "2027-01-15T08:01:00Z"
    assert {found["TakeoverArmed"] for found in times} == {"2027-01-15T08:00:00Z"}


def huge() -> NodeStatus:
    """Return a node with ten times more of everything than fits, in the longest words."""
    watched = BFDStatus(state=BFDState.DOWN, since=NOW, last_error="x" * 5000, dampened=True)
    peers = tuple(PeerName(f"{'p' * 240}-{number}") for number in range(64))
    routes = tuple(
        RouteStatus(
            prefix=Prefix(f"2001:db8:ffff:ffff:ffff:ffff:{number:x}:ffff/128"),
            peers=peers[:2],
            rank=0,
            services=tuple(f"{'n' * 63}/{'s' * 63}" for _ in range(3)),
        )
        for number in range(10_000)
    )
    withheld = tuple(
        Withheld(
            service=f"{'n' * 63}/{number}",
            prefix=Prefix("203.0.113.44/32"),
            reason=Reason.NO_LOCAL_ENDPOINTS,
            message="no ready endpoint is on this node, and the traffic policy is Local",
        )
        for number in range(10_000)
    )
    members = tuple(
        member(
            f"n{number}", "10.0.0.2", state=MemberState.DEAD if number == 999 else MemberState.ALIVE
        )
        for number in range(1000)
    )
    speaker = replace(
        SPEAKER,
        sessions=tuple(
            session(name, "192.0.2.1", last_error="x" * 5000, bfd=watched) for name in peers
        ),
        routes=routes,
        mesh=replace(MESH, members=members),
        drain=DrainStatus(
            phase=DrainPhase.WAITING,
            cause="x" * 5000,
            since=NOW,
            alone=tuple(one.prefix for one in routes),
            busy=tuple(one.prefix for one in routes),
        ),
    )
    probes = tuple(
        ProbeResult(
            check=f"{'n' * 63}/{'c' * 240}-{number}",
            service=f"{'n' * 63}/{'s' * 63}",
            health=Health.UNHEALTHY,
            message="x" * 5000,
            since=NOW,
        )
        for number in range(10_000)
    )
    health = HealthStatus(
        node={str(number): Health.UNHEALTHY for number in range(100)},
        details={str(number): "x" * 5000 for number in range(100)},
        doubt=("x" * 5000,) * 100,
        probes=probes,
    )
    host = HostStatus(
        interface="x" * 500,
        interface_kind="x" * 500,
        routes=tuple(
            HostRouteStatus(
                destination=Prefix("192.0.2.1/32"),
                via=("x" * 5000,) * 100,
                peer=name,
                state=HostState.MISSING,
                detail="x" * 5000,
            )
            for name in (*peers, *peers)
        ),
        addresses=tuple(
            HostAddressStatus(
                address=Address(f"2001:db8::{number:x}"), state=HostState.MISSING, detail="x" * 5000
            )
            for number in range(10_000)
        ),
        restored={"routes": 2**40},
        problems=("x" * 5000,) * 100,
    )
    return replace(NODE, speaker=speaker, withheld=withheld, services={}, health=health, host=host)


def test_a_status_has_an_end_and_says_how_much_there_is() -> None:
    """Lists stop, counts do not; members in trouble come first, and so do refusals."""
    notice = problem("has no effect", standing=Standing.IGNORED)
    wrong = [notice] * 30 + [problem("y" * 5000)] * 30
    found = status(huge(), problems=wrong)
    assert len(found["routes"]) == len(found["withheld"]) == MOST_ROUTES
    assert (found["counts"]["routes"], found["counts"]["withheld"]) == (10_000, 10_000)
    assert len(found["mesh"]["members"]) == MOST_MEMBERS
    assert found["mesh"]["members"][0]["state"] == "Dead"
    assert found["counts"]["members"] == 1000
    assert len(found["configuration"]["problems"]) == MOST_PROBLEMS
    assert all(one["refused"] for one in found["configuration"]["problems"])
    assert len(found["sessions"][0]["lastError"]) == LONG
    assert len(found["sessions"][0]["bfd"]["lastError"]) == SHORT
    assert (len(found["health"]["failing"]), found["counts"]["failing"]) == (MOST_FAILING, 10_000)
    assert len(found["drain"]["alone"]) == len(found["drain"]["busy"]) == MOST_STAYING
    assert len(json.dumps(found)) < BUSY


def test_a_route_that_is_nobodys_is_shown_too() -> None:
    """A route without a Service that we know of is still on the wire."""
    (shown,) = status(replace(with_speaker(routes=(route("192.0.2.1/32", "tor-a"),)), services={}))[
        "routes"
    ]
    assert shown == {"prefix": "192.0.2.1/32", "peers": ["tor-a"], "rank": 0}
