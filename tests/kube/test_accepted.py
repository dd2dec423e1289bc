"""What is legal is read, and becomes what it means: the other half of the table of refusals.

Manifests of MetalLB are read unchanged; what differs on purpose says so.
"""

from dataclasses import replace

import pytest

from bgpd.kube.documents import Key, read
from bgpd.model.cluster import NamedPort, Node, Service
from bgpd.model.configuration import (
    BFDProfile,
    BGPAdvertisement,
    BGPPeer,
    IPAddressPool,
    NodePolicy,
    ServiceAllocation,
)
from bgpd.model.health import LocalHealthPolicy, StartupPolicy
from bgpd.model.member import DrainTrigger, MeshPolicy, NodeName, SpeakerPolicy
from bgpd.model.peer import Asn, Lever, PeerName, Takeover
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.selector import Operator, Requirement
from tests.kube.build import Document, ours, peer, pool, service, text

PLAIN = BGPPeer(
    name=PeerName("p"),
    address=Address("192.0.2.1"),
    peer_asn=Asn(64513),
    local_asn=Asn(64512),
    families=(Family.IPV4,),
)
BOTH = (Family.IPV4, Family.IPV6)
RACK = Requirement(key="rack", operator=Operator.IN, values=frozenset({"a"}))


def only(document: Document) -> object:
    """Return the object that *document* becomes."""
    found = read("f.yaml", text(document))
    assert [one.message for one in found.problems if one.refused] == []
    (value,) = found.objects.values()
    return value


@pytest.mark.parametrize(
    ("document", "changes"),
    [
        pytest.param(peer(), {}, id="the least"),
        pytest.param(peer(myASN=4200000001), {"local_asn": 4200000001}, id="an ASN of 32 bits"),
        pytest.param(peer(localASN=65410), {"local_asn": 65410, "my_asn": 64512},
                     id="localASN is what this peer sees"),
        pytest.param(peer(peerASN=64512), {"peer_asn": 64512, "lever": Lever.LOCAL_PREF},
                     id="iBGP is moved by local preference unless the document says otherwise"),
        pytest.param(peer(peerASN=64512, takeover={"lever": "med"}), {"peer_asn": 64512},
                     id="iBGP may be moved by MED"),
        pytest.param(peer(takeover={"lever": "asPath", "mode": "Never"}),
                     {"lever": Lever.AS_PATH, "takeover": Takeover.NEVER}, id="a takeover"),
        pytest.param(peer(bfdProfile="fast"), {"bfd_profile": "fast"}, id="BFD"),
        pytest.param(peer(holdTime="180s"), {"hold_time": 180}, id="a hold time"),
        pytest.param(peer(holdTime="3s"), {"hold_time": 3}, id="the least hold time"),
        pytest.param(peer(holdTime="0s", keepaliveTime="0s"), {"hold_time": 0}, id="no timers"),
        pytest.param(peer(holdTimeSeconds=30), {"hold_time": 30}, id="a hold time as a number"),
        pytest.param(peer(keepaliveTime="10s"), {"hold_time": 30},
                     id="a keepalive time alone makes the hold time three times as long"),
        pytest.param(peer(holdTime="90s", keepaliveTime="10s", connectTime="5s"), {},
                     id="timers without effect are accepted"),
        pytest.param(peer(disableMP=True), {}, id="disableMP, which has no effect in MetalLB"),
        pytest.param(peer(dualStackAddressFamily=True), {"families": BOTH}, id="both families"),
        pytest.param(peer(families=["ipv6-unicast", "ipv4-unicast"]), {"families": BOTH},
                     id="families in any order"),
        pytest.param(peer(peerAddress="2001:DB8::1"),
                     {"address": "2001:db8::1", "families": (Family.IPV6,)},
                     id="a session over IPv6 carries IPv6"),
        pytest.param(peer(enableGracefulRestart=True), {"graceful_restart": 120},
                     id="graceful restart as MetalLB has it"),
        pytest.param(peer(gracefulRestart=30), {"graceful_restart": 30}, id="graceful restart"),
        pytest.param(peer(ebgpMultiHop=True), {"ttl": 255}, id="multihop"),
        pytest.param(peer(ttlSecurity=254), {"ttl_security": 254}, id="TTL security"),
        pytest.param(peer(password="a b"), {"password": "a b"}, id="a password"),  # noqa: S106
        pytest.param(peer(passwordFile="/k"), {"password_file": "/k"}, id="a password in a file"),
        pytest.param(peer(password="", bfdProfile="", vrf=""), {}, id="empty texts are unset"),
        pytest.param(peer(nodeSelectors=[{}]), {"node_selectors": ((),)},
                     id="the empty selector is everything"),
        pytest.param(peer(nodeSelectors=[{"matchLabels": {"rack": "a"}}]),
                     {"node_selectors": ((RACK,),)}, id="a selector by label"),
        pytest.param(peer(peerPort=1179, sourceAddress="10.0.0.1", routerID="10.0.0.9",
                          maxPrefixes=9, damping=True, nextHopV6="2001:db8::9"),
                     {"port": 1179, "source_address": "10.0.0.1", "router_id": "10.0.0.9",
                      "max_prefixes": 9, "damping": True, "next_hop_v6": "2001:db8::9"},
                     id="the rest"),
    ],
)  # fmt: skip
def test_a_peer_means_what_it_says(document: Document, changes: dict[str, object]) -> None:
    """Each field arrives where it belongs, and what is left out has its default."""
    assert only(document) == replace(PLAIN, **changes)  # type: ignore[arg-type]


def test_what_has_no_effect_is_said_without_refusing_the_document() -> None:
    """Nothing is ignored silently."""
    found = read("f.yaml", text(peer(holdTime="90s", keepaliveTime="10s", connectTime="5s")))
    assert [one.path for one in found.problems] == ["spec.connectTime", "spec.keepaliveTime"]
    assert not any(one.refused for one in found.problems)
    assert "keepalives leave every 30 s" in found.problems[1].message


def test_a_pool_is_its_blocks() -> None:
    """Blocks and ranges in the order written, as the fewest prefixes."""
    document = ours(
        "IPAddressPool",
        "p",
        {
            "addresses": ["192.0.2.7/24", "198.51.100.1 - 198.51.100.3", "2001:db8::/120"],
            "autoAssign": False,
            "avoidBuggyIPs": True,
            "serviceAllocation": {"priority": 1},
        },
        labels={"tier": "a"},
    )
    blocks = ("192.0.2.0/24", "198.51.100.1/32", "198.51.100.2/31", "2001:db8::/120")
    assert only(document) == IPAddressPool(
        name="p",
        labels={"tier": "a"},
        prefixes=tuple(Prefix(one) for one in blocks),
        largest=tuple(Prefix(one) for one in (blocks[0], *blocks[2:])),
        auto_assign=False,
        avoid_buggy_ips=True,
        allocation=ServiceAllocation(priority=1),
    )


def test_an_advertisement_without_a_spec_is_everything_to_everybody() -> None:
    """As in MetalLB."""
    assert only(ours("BGPAdvertisement", "a")) == BGPAdvertisement(name="a")


def test_an_advertisement_means_what_it_says() -> None:
    """Communities of both sorts, in one list or two, sorted."""
    spec = {
        "ipAddressPools": ["p"],
        "ipAddressPoolSelectors": [{"matchLabels": {"rack": "a"}}],
        "nodeSelectors": [{}],
        "serviceSelectors": [{"matchExpressions": [{"key": "rack", "operator": "Exists"}]}],
        "peers": ["b", "a"],
        "localPref": 150,
        "communities": ["65535:65281", "1:2", "large:3:2:1"],
        "largeCommunities": ["1:2:3"],
        "asPathPrepend": 10,
        "aggregationLength": 32,
        "aggregationLengthV6": 128,
    }
    exists = Requirement(key="rack", operator=Operator.EXISTS)
    assert only(ours("BGPAdvertisement", "a", spec)) == BGPAdvertisement(
        name="a",
        pools=("p",),
        pool_selectors=((RACK,),),
        node_selectors=((),),
        service_selectors=((exists,),),
        peers=(PeerName("b"), PeerName("a")),
        local_pref=150,
        communities=("1:2", "65535:65281"),
        large_communities=("1:2:3", "3:2:1"),
        as_path_prepend=10,
    )


def test_a_speaker_policy_keeps_the_defaults_that_it_does_not_name() -> None:
    """Zero is a drain time, not an absent one."""
    assert only(ours("SpeakerPolicy", "s")) == NodePolicy(name="s")
    spec = {"mesh": {"multiplier": 5}, "agentGraceSeconds": 7, "drainMilliseconds": 0}
    assert only(ours("SpeakerPolicy", "s", spec)) == NodePolicy(
        name="s",
        policy=SpeakerPolicy(
            mesh=MeshPolicy(multiplier=5), agent_grace_seconds=7, drain_milliseconds=0
        ),
    )


@pytest.mark.parametrize(
    ("spec", "milliseconds"),
    [
        pytest.param({}, 1_000, id="nothing"),
        pytest.param({"drain": "OnCordon"}, 1_000, id="a cordon"),
        pytest.param({"drain": "WaitForConnections"}, 60_000, id="time for connections to end"),
        pytest.param({"drain": "WaitForConnections", "drainSeconds": 5}, 5_000, id="seconds hold"),
        pytest.param({"drain": "WaitForConnections", "drainMilliseconds": 1_000}, 1_000,
                     id="milliseconds hold, the usual ones as well"),
    ],
)  # fmt: skip
def test_the_time_of_a_drain_depends_on_what_it_waits_for(
    spec: dict[str, object], milliseconds: int
) -> None:
    """A connection hardly ever ends within the second that routers take."""
    found = only(ours("SpeakerPolicy", "s", spec))
    assert isinstance(found, NodePolicy)
    assert found.policy.drain_milliseconds == milliseconds


def test_a_speaker_policy_means_what_it_says() -> None:
    """False, zero and the empty text are wishes like any other."""
    spec = {
        "drain": "WaitForConnections",
        "drainSeconds": 30,
        "health": {
            "carrier": False,
            "gateway": False,
            "healthCheckNodePort": False,
            "kubelet": "",
            "kubeProxy": "https://[::1]:10256/healthz",
            "doubtSeconds": 1,
        },
        "startup": {"delaySeconds": 5, "patienceSeconds": 0, "slowStartSeconds": 9},
        "host": {"egress": True},
    }
    assert only(ours("SpeakerPolicy", "s", spec)) == NodePolicy(
        name="s",
        policy=SpeakerPolicy(
            drain=DrainTrigger.WAIT_FOR_CONNECTIONS,
            drain_milliseconds=30_000,
            health=LocalHealthPolicy(
                carrier=False,
                gateway=False,
                health_check_node_port=False,
                kubelet="",
                kube_proxy="https://[::1]:10256/healthz",
                doubt_seconds=1,
            ),
            startup=StartupPolicy(delay_seconds=5, patience_seconds=0, slow_start_seconds=9),
            egress=True,
        ),
    )


@pytest.mark.parametrize("part", ["mesh", "health", "startup", "host"])
def test_an_empty_part_of_a_policy_keeps_all_its_defaults(part: str) -> None:
    """Whoever names a part and changes nothing in it has changed nothing."""
    assert only(ours("SpeakerPolicy", "s", {part: {}})) == NodePolicy(name="s")


def test_a_profile_of_bfd_means_what_it_says() -> None:
    """Keys are ours; MetalLB has none."""
    spec = {"receiveInterval": 50, "transmitInterval": 50, "password": "k", "keyID": 0}
    assert only(ours("BFDProfile", "b", spec)) == BFDProfile(
        name="b",
        receive_interval=50,
        transmit_interval=50,
        password="k",  # noqa: S106 - nobody's key
        key_id=0,
    )
    filed = only(ours("BFDProfile", "b", {"passwordFile": "/etc/bgpd/keys/bfd"}))
    assert filed == BFDProfile(name="b", password_file="/etc/bgpd/keys/bfd")  # noqa: S106 - a path


def test_a_node_is_its_labels_its_internal_addresses_and_its_network() -> None:
    """Readiness, heartbeats and other addresses are left out, so they change nothing."""
    status = {
        "addresses": [
            {"type": "Hostname", "address": "n1"},
            {"type": "InternalIP", "address": "10.0.0.1"},
            {"type": "ExternalIP", "address": "203.0.113.1"},
            {"type": "InternalIP", "address": "2001:DB8::1"},
        ],
        "conditions": [
            {"type": "Ready", "status": "False", "lastHeartbeatTime": "2026-11-22T00:00:00Z"},
            {"type": "NetworkUnavailable", "status": "True"},
        ],
    }
    document = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": status}
    assert only(document) == Node(
        name=NodeName("n1"),
        addresses=(Address("10.0.0.1"), Address("2001:db8::1")),
        network_unavailable=True,
    )


READY = {"type": "Ready", "status": "True", "message": "kubelet is posting ready status"}
LATE = {"type": "Ready", "status": "False", "reason": "KubeletNotReady"}


@pytest.mark.parametrize(
    ("spec", "condition", "changes"),
    [
        pytest.param({}, READY, {}, id="ready"),
        pytest.param({"unschedulable": True}, READY, {"unschedulable": True}, id="cordoned"),
        pytest.param({"taints": [{"key": "bgpd.io/drain", "effect": "NoSchedule"}]}, READY,
                     {"drain_taint": True}, id="our taint"),
        pytest.param({"taints": [{"key": "bgpd.io/drain", "value": "x", "effect": "NoExecute"}]},
                     READY, {"drain_taint": True}, id="our taint with a value"),
        pytest.param({"taints": [{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}]},
                     READY, {}, id="another taint"),
        pytest.param({}, {**LATE, "message": "node is shutting down"},
                     {"shutting_down": True}, id="kubelet shuts the node down"),
        pytest.param({}, {**LATE, "message": "[PLEG is not healthy, node is shutting down]"},
                     {"shutting_down": True}, id="among other reasons"),
        pytest.param({}, {**LATE, "message": "container runtime is down"}, {},
                     id="not ready for another reason"),
        pytest.param({}, {**READY, "status": "Unknown", "message": "node is shutting down"}, {},
                     id="nobody has heard of it since"),
    ],
)  # fmt: skip
def test_a_node_says_whether_it_is_to_be_left(
    spec: Document, condition: Document, changes: dict[str, object]
) -> None:
    """A cordon, our taint and the end of the node are three different facts."""
    document = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n1"},
        "spec": spec,
        "status": {"conditions": [condition]},
    }
    assert only(document) == replace(Node(name=NodeName("n1")), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("document", "changes"),
    [
        pytest.param(service(), {}, id="Cluster is the default policy"),
        pytest.param(service(healthCheckNodePort=31234), {"health_check_node_port": 31234},
                     id="the port that answers for the node"),
        pytest.param(service(ports=[{"name": "dns", "port": 53, "protocol": "UDP"}, {"port": 80}]),
                     {"ports": (NamedPort(name="dns", port=53, protocol="UDP"),
                                NamedPort(port=80))}, id="ports"),
        pytest.param(service(externalTrafficPolicy="Local"), {"local": True}, id="Local"),
        pytest.param(service(loadBalancerClass="x"), {"load_balancer_class": "x"}, id="a class"),
        pytest.param(service(type="ClusterIP"), {"load_balancer": False}, id="no load balancer"),
        pytest.param({**service(), "status": {"loadBalancer": {"ingress": [{"hostname": "h"}]}}},
                     {"ingress": ("",)}, id="a host name instead of an address"),
        pytest.param({**service(), "status": None}, {"ingress": ()}, id="no status"),
        pytest.param({**service(), "status": {"loadBalancer": {}}}, {"ingress": ()}, id="pending"),
    ],
)  # fmt: skip
def test_a_service_is_what_a_load_balancer_needs(
    document: Document, changes: dict[str, object]
) -> None:
    """Everything else of it is left out."""
    plain = Service(namespace="default", name="web", load_balancer=True, ingress=("198.51.100.1",))
    assert only(document) == replace(plain, **changes)  # type: ignore[arg-type]


def test_a_namespace_that_is_left_out_is_default() -> None:
    """As for kubectl."""
    document = {**service("web"), "metadata": {"name": "web"}}
    assert set(read("f.yaml", text(document, pool("p"))).objects) == {
        Key("Service", "default", "web"),
        Key("IPAddressPool", "", "p"),
    }
