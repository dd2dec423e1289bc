"""What an agent writes about its node: everything that matters, and nothing that moves."""

import json
from dataclasses import replace

from bgpd.kube.nodestatus import document, identity
from bgpd.model.member import Member, NodeName
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.status import HostAddressStatus, HostRouteStatus, HostState, HostStatus
from tests.ctl.samples import DRAINED, MESH, NODE, NOW, SPEAKER, member, route, session
from tests.kube.written import status, with_speaker

ME = Member(name=NodeName("n1"), address=Address("10.0.0.1"))
LATER = NOW + 60


def test_a_status_says_what_bgpctl_would_say() -> None:
    """Sessions, routes with their Services, what is withheld and why, mesh, generation, counts."""
    found = status(NODE, member=ME)
    assert (found["node"], found["takeoverGeneration"]) == ("n1", 7)
    assert found["speakerStarted"] == "2027-01-14T06:58:59Z"
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


def test_a_route_that_is_nobodys_is_shown_too() -> None:
    """A route without a Service that we know of is still on the wire."""
    (shown,) = status(replace(with_speaker(routes=(route("192.0.2.1/32", "tor-a"),)), services={}))[
        "routes"
    ]
    assert shown == {"prefix": "192.0.2.1/32", "peers": ["tor-a"], "rank": 0}
