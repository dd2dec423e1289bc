"""What a check says of a MetalLB cluster: who needs a person, what differs, what carries over."""

from collections.abc import Iterator
from typing import Any

import pytest

from bgpd.migrate.check import Objection, check
from bgpd.migrate.finding import Verdict
from bgpd.migrate.found import Document, Found
from bgpd.migrate.installation import EXCLUDE_LABEL
from tests.migrate.build import (
    BETA,
    NAMESPACE,
    cluster,
    controller,
    node,
    one,
    peer,
    pool,
    service,
    speaker,
)


def nobody(_: Document) -> Iterator[Objection]:
    """Judge nothing."""
    return iter(())


def findings(found: Found) -> set[tuple[Verdict, str, str]]:
    """Return verdict, subject and field of each finding."""
    return {(one.verdict, one.subject, one.field) for one in check(found, nobody).findings}


PERSON, DIFFERS = Verdict.PERSON, Verdict.DIFFERS


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        pytest.param(
            [peer(vrf="red")], (PERSON, f"BGPPeer {NAMESPACE}/tor", "spec.vrf"), id="a VRF"
        ),
        pytest.param(
            [peer(interface="eth0")],
            (PERSON, f"BGPPeer {NAMESPACE}/tor", "spec.interface"),
            id="a session without addresses",
        ),
        pytest.param(
            [peer(dynamicASN="external")],
            (PERSON, f"BGPPeer {NAMESPACE}/tor", "spec.dynamicASN"),
            id="an ASN that is not named",
        ),
        pytest.param(
            [peer(), one("metallb.io/v1beta1", "BGPPeer", "twin", spec=peer()["spec"])],
            (PERSON, f"BGPPeer {NAMESPACE}/twin", "spec.peerAddress"),
            id="two peers with one address everywhere",
        ),
        pytest.param(
            [peer(peerASN=65000)],
            (DIFFERS, f"BGPPeer {NAMESPACE}/tor", ""),
            id="the local preference of iBGP",
        ),
        pytest.param(
            [peer(passwordSecret={"name": "key"})],
            (PERSON, f"BGPPeer {NAMESPACE}/tor", "spec.passwordSecret"),
            id="a Secret that is not there",
        ),
        pytest.param(
            [one(BETA, "BFDProfile", "fast", spec={"echoMode": True})],
            (PERSON, f"BFDProfile {NAMESPACE}/fast", "spec.echoMode"),
            id="BFD's echo",
        ),
        pytest.param(
            [one(BETA, "L2Advertisement", "lan")],
            (PERSON, f"L2Advertisement {NAMESPACE}/lan", ""),
            id="layer 2",
        ),
        pytest.param(
            [one("frrk8s.metallb.io/v1beta1", "FRRConfiguration", "more")],
            (PERSON, f"FRRConfiguration {NAMESPACE}/more", ""),
            id="an FRRConfiguration that a person wrote",
        ),
        pytest.param(
            [one("v1", "ConfigMap", "bgpextras", data={"extras": "router bgp"})],
            (PERSON, f"ConfigMap {NAMESPACE}/bgpextras", "data.extras"),
            id="raw FRR configuration",
        ),
        pytest.param(
            [pool("a", namespace="one"), pool("a", "198.51.100.0/24", namespace="two")],
            (PERSON, "IPAddressPool two/a", "metadata.name"),
            id="one name in two namespaces",
        ),
        pytest.param(
            [speaker("--lb-class=metallb")],
            (PERSON, f"DaemonSet {NAMESPACE}/speaker", "--lb-class"),
            id="a class of load balancers",
        ),
        pytest.param(
            [speaker("--lb-class", "metallb")],
            (PERSON, f"DaemonSet {NAMESPACE}/speaker", "--lb-class"),
            id="the same in two words",
        ),
        pytest.param(
            [
                speaker("--ignore-exclude-lb"),
                node("n1", labels={EXCLUDE_LABEL: ""}),
            ],
            (PERSON, f"DaemonSet {NAMESPACE}/speaker", "--ignore-exclude-lb"),
            id="nodes that MetalLB uses against their label",
        ),
        pytest.param(
            [speaker(pod={"nodeSelector": {"edge": "yes", "kubernetes.io/os": "linux"}})],
            (DIFFERS, f"DaemonSet {NAMESPACE}/speaker", "spec.template.spec.nodeSelector"),
            id="a speaker on some nodes alone",
        ),
        pytest.param(
            [speaker(pod={"tolerations": [{"key": "edge", "operator": "Exists"}]})],
            (DIFFERS, f"DaemonSet {NAMESPACE}/speaker", "spec.template.spec.tolerations"),
            id="a speaker on tainted nodes",
        ),
        pytest.param(
            [{"loadBalancerClass": "metallb", "speaker": {"logLevel": "info"}}],
            (PERSON, "values", "loadBalancerClass"),
            id="a class in the chart's values",
        ),
        pytest.param(
            [{"speaker": {"ignoreExcludeLB": True}}],
            (PERSON, "values", "speaker.ignoreExcludeLB"),
            id="excluded nodes in the chart's values",
        ),
        pytest.param(
            [pool(), pool()],
            (PERSON, f"IPAddressPool {NAMESPACE}/a", "metadata.name"),
            id="one object twice",
        ),
        pytest.param(
            [speaker(mode="frr"), peer()],
            (DIFFERS, f"DaemonSet {NAMESPACE}/speaker", ""),
            id="FRR's hold time",
        ),
        pytest.param(
            [speaker(), pool("six", "2001:db8::/64")],
            (DIFFERS, f"IPAddressPool {NAMESPACE}/six", "spec.addresses"),
            id="IPv6, which native mode refuses",
        ),
        pytest.param(
            [pool(), service("web", "203.0.113.9")],
            (PERSON, "Service shop/web", "status.loadBalancer"),
            id="an address of no pool",
        ),
        pytest.param(
            [pool(), service("web")],
            (DIFFERS, "Service shop/web", "status.loadBalancer"),
            id="a Service that still waits",
        ),
        pytest.param(
            [service("web", annotations={"metallb.universe.tf/address-pool": "a"})],
            (DIFFERS, "Service shop/web", "metadata.annotations"),
            id="a deprecated annotation",
        ),
        pytest.param(
            [one(BETA, "ConfigurationState", "controller", status={"result": "Invalid"})],
            (PERSON, f"ConfigurationState {NAMESPACE}/controller", "status"),
            id="a configuration that MetalLB itself refuses",
        ),
        pytest.param(
            [one(BETA, "AddressPool", "old")],
            (PERSON, f"AddressPool {NAMESPACE}/old", ""),
            id="a kind from before MetalLB 0.13",
        ),
    ],
)
def test_what_does_not_carry_over_is_named(
    documents: list[Document], expected: tuple[Verdict, str, str]
) -> None:
    """Object, field and whether it needs a person: nothing is passed over in silence."""
    assert expected in findings(cluster(*documents))


@pytest.mark.parametrize(
    "documents",
    [
        pytest.param([pool(), peer(), service("web", "192.0.2.7")], id="a plain cluster"),
        pytest.param([speaker("--port=7472"), controller()], id="flags without a meaning here"),
        pytest.param([speaker("--ignore-exclude-lb"), node("n1")], id="a flag that no node needs"),
        pytest.param([speaker("--lb-class="), pool()], id="an empty class"),
        pytest.param([{"speaker": {"logLevel": "all"}, "crds": {}}], id="values without a meaning"),
        pytest.param([{"speaker": "text"}], id="values that are none"),
        pytest.param([speaker(mode="frr"), peer(holdTime="90s")], id="a hold time that is said"),
        pytest.param(
            [one("frrk8s.metallb.io/v1beta1", "FRRConfiguration", "metallb-n1")],
            id="an FRRConfiguration that MetalLB wrote",
        ),
        pytest.param(
            [one("v1", "ConfigMap", "bgpextras", namespace="shop", data={})],
            id="somebody else's ConfigMap",
        ),
        pytest.param(
            [pool(), service("web", spec={"type": "ClusterIP"})], id="a Service without balancer"
        ),
        pytest.param(
            [pool(), service("web", "203.0.113.9", spec={"loadBalancerClass": "other"})],
            id="a Service of another balancer",
        ),
        pytest.param(
            [peer(nodeSelectors=[{}]), peer("two", nodeSelectors=[{"matchLabels": {"a": "b"}}])],
            id="one address on different nodes",
        ),
    ],
)
def test_what_carries_over_needs_nobody(documents: list[Document]) -> None:
    """No finding where there is nothing to do: a list that cries wolf is not read."""
    assert findings(cluster(*documents)) == set()


def test_int32_asns_are_told_by_the_version_of_the_server() -> None:
    """Kubernetes 1.36 refuses them for good, so that no rollback could write a BGPPeer."""
    asn = {"type": "integer", "format": "int32", "maximum": 4294967295}
    schema = {"openAPIV3Schema": {"properties": {"spec": {"properties": {"myASN": asn}}}}}
    definition = one(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "bgppeers.metallb.io",
        spec={"versions": [{"schema": schema}]},
        namespace="",
    )
    late = check(cluster(definition, minor=36), nobody).findings
    early = check(cluster(definition, minor=35), nobody).findings
    assert "rollback" in late[0].what
    assert "before the upgrade" in early[0].what


def test_what_an_agent_would_refuse_is_said_of_the_original() -> None:
    """The words are those of the code that reads our objects; none is written twice."""

    def judge(document: Document) -> Iterator[Objection]:
        if document["kind"] == "BGPPeer":
            yield Objection(path="spec.holdTime", what='"1s" is not allowed', refused=True)
            yield Objection(path="spec.connectTime", what="has no effect", refused=False)
            yield Objection(path="spec.interface", what="is not done", refused=False)

    found = check(cluster(peer(holdTime="1s", interface="eth0")), judge).findings
    told = [(one.verdict, one.subject, one.field) for one in found]
    subject = f"BGPPeer {NAMESPACE}/tor"
    assert (PERSON, subject, "spec.holdTime") in told
    assert (DIFFERS, subject, "spec.connectTime") in told
    assert [one for one in told if one[2] == "spec.interface"] == [
        (PERSON, subject, "spec.interface")
    ], "what is known here already is said once"


def test_the_answer_counts_what_carries_over() -> None:
    """Objects that need a person are not among them; persons decide whether it is ready."""
    found = check(
        cluster(
            pool(), peer("good"), peer("bad", vrf="red", peerAddress="10.0.0.2"),
            service("web", "192.0.2.7"), service("two", "192.0.2.8", "192.0.2.9"),
        ),
        nobody,
    )  # fmt: skip
    assert found.carries == {"IPAddressPool": 1, "BGPPeer": 1, "Service": 2, "address": 3}
    assert not found.ready


def test_manifests_are_not_blamed_for_what_they_do_not_say() -> None:
    """A file has no Secrets and no addresses: only a cluster can lack them."""
    documents = (pool(), peer(passwordSecret={"name": "key"}), service("web"))
    assert check(Found(documents=documents), nobody).findings == ()


@pytest.mark.parametrize("part", ["spec", "metadata", "status"])
@pytest.mark.parametrize("value", [None, [], "text", 7])
def test_a_broken_document_ends_no_check(part: str, value: Any) -> None:
    """Whatever a file holds, it is read: a check is the first thing that people run."""
    kinds = ("IPAddressPool", "BGPPeer", "BFDProfile", "L2Advertisement", "Community")
    documents = [{**one(BETA, kind, "x"), part: value} for kind in kinds]
    documents += [{**speaker(), part: value}, {**service("web"), part: value}]
    check(cluster(*documents), nobody)
