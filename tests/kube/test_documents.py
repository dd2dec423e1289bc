"""One file in: objects, and a sentence for each thing that is wrong; never an exception."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgpd.kube.documents import Documents, Key, read
from bgpd.kube.fields import fields_of
from bgpd.kube.kinds import AGENT as KINDS
from tests.kube.build import Document, endpoint_slice, ours, peer, pool, service, text

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NAMED = {"name": "x"}


def expression(**fields: object) -> Document:
    """Return a selector with one expression that is valid but for *fields*."""
    return {"matchExpressions": [{"key": "rack", "operator": "In", "values": ["a"], **fields}]}


def problems(*documents: Document) -> list[str]:
    """Return the sentences about one file with *documents*."""
    return [one.message for one in read("f.yaml", text(*documents)).problems]


def refused(*documents: Document) -> list[str]:
    """Return the paths in one file with *documents* that are refused."""
    return [one.path for one in read("f.yaml", text(*documents)).problems if one.refused]


def test_a_problem_names_file_document_object_path_value_and_range() -> None:
    """Whoever reads the sentence knows where to look and what to write."""
    found = read("peers.yaml", text(peer("rack0"), peer("rack1", myASN=0)))
    (problem,) = found.problems
    assert problem.message == (
        "peers.yaml document 2 (BGPPeer rack1): spec.myASN: 0 is not allowed; must be 1..4294967295"
    )
    assert (problem.source, problem.kind, problem.name) == (
        "peers.yaml document 2",
        "BGPPeer",
        "rack1",
    )
    assert (problem.path, problem.value, problem.legal) == ("spec.myASN", "0", "1..4294967295")


def test_the_other_documents_of_the_file_hold() -> None:
    """A bad document costs nobody else anything, and is marked as damaged, not as absent."""
    found = read("f.yaml", text(peer("a"), peer("b", myASN=0), pool("c")))
    assert set(found.objects) == {Key("BGPPeer", "", "a"), Key("IPAddressPool", "", "c")}
    assert found.damaged == {Key("BGPPeer", "", "b")}
    assert not found.incomplete


def test_everything_that_is_wrong_with_a_document_is_said_at_once() -> None:
    """Nobody has to correct one field to hear of the next."""
    bad = peer(
        holdTime="2s", takeover={"lever": "mad"}, routerID="::1", peerPort=0, families=["ipx"]
    )
    assert set(refused(bad)) == {"spec.peerPort", "spec.takeover.lever", "spec.holdTime",
                                 "spec.routerID", "spec.families[0]"}  # fmt: skip


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        pytest.param(peer(myASN=None), "spec.myASN", "is required", id="no ASN of ours"),
        pytest.param(peer(peerASN=None), "spec.peerASN", "is required", id="no ASN of the peer"),
        pytest.param(peer(myASN=4294967296), "spec.myASN", "1..4294967295", id="an ASN of 33 bits"),
        pytest.param(peer(myASN="64512"), "spec.myASN",
                     '"64512" is not allowed; must be 1..4294967295 without quotes',
                     id="an ASN in quotes"),
        pytest.param(peer(peerAddress="192.0.2.400"), "spec.peerAddress",
                     '"192.0.2.400" is not allowed; must be an IPv4 or IPv6 address',
                     id="an address that is none"),
        pytest.param(peer(peerAddress=None), "spec.peerAddress", "is required", id="no address"),
        pytest.param(peer(sourceAddress="not-an-address"), "spec.sourceAddress",
                     "must be an IPv4 or IPv6 address", id="a source that is no address"),
        pytest.param(peer(sourceAddress="2001:db8::1"), "spec.sourceAddress", "same family",
                     id="a source of the other family"),
        pytest.param(peer(peerPort=65536), "spec.peerPort", "1..65535", id="a port of 17 bits"),
        pytest.param(peer(holdTime="1s"), "spec.holdTime", "0s, or 3s..65535s", id="hold time 1 s"),
        pytest.param(peer(holdTimeSeconds=2), "spec.holdTimeSeconds", "0, or 3..65535",
                     id="hold time 2 seconds"),
        pytest.param(peer(holdTime="90s", holdTimeSeconds=30), "spec.holdTimeSeconds",
                     "contradicts spec.holdTime", id="two hold times"),
        pytest.param(peer(holdTime="30s", keepaliveTime="90s"), "spec.keepaliveTime",
                     "exceeds the hold time of 30 s", id="keepalives rarer than the hold time"),
        pytest.param(peer(peerASN=64512, ebgpMultiHop=True), "spec.ebgpMultiHop", "is for eBGP",
                     id="multihop on iBGP"),
        pytest.param(peer(ttlSecurity=254, ebgpMultiHop=True), "spec.ttlSecurity",
                     "remove spec.ebgpMultiHop", id="TTL security and multihop"),
        pytest.param(peer(ttlSecurity=256), "spec.ttlSecurity", "1..255", id="a TTL of 9 bits"),
        pytest.param(peer(gracefulRestart=4096), "spec.gracefulRestart", "1..4095",
                     id="a restart time of 13 bits"),
        pytest.param(peer(maxPrefixes=0), "spec.maxPrefixes", "1..1000000", id="no prefixes"),
        pytest.param(peer(families=[]), "spec.families", "ipv4-unicast", id="no family"),
        pytest.param(peer(families=["ipv4"]), "spec.families[0]", "ipv4-unicast, ipv6-unicast",
                     id="an unknown family"),
        pytest.param(peer(takeover={"mode": "Sometimes"}), "spec.takeover.mode",
                     "one of Auto, Always, Never", id="an unknown takeover mode"),
        pytest.param(peer(takeover={"lever": "localPref"}), "spec.takeover.lever",
                     "never sent over eBGP", id="local preference as the lever of eBGP"),
        pytest.param(peer(nextHopV6="192.0.2.9"), "spec.nextHopV6", "must be an IPv6 address",
                     id="an IPv4 next hop for IPv6"),
        pytest.param(peer(password="a", passwordFile="/x"), "spec.passwordFile",  # noqa: S106
                     "cannot stand beside", id="two passwords"),
        pytest.param(peer(passwordFile="x"), "spec.passwordFile", "an absolute path",
                     id="a relative password file"),
        pytest.param(peer(dynamicASN="external"), "spec.dynamicASN", "beside spec.peerASN",
                     id="two ASNs of the peer"),
        pytest.param(peer(peerASN=None, dynamicASN="any"), "spec.dynamicASN",
                     "must be internal or external", id="an unknown dynamic ASN"),
        pytest.param(peer(interface="eth0"), "spec.interface", "beside spec.peerAddress",
                     id="an address and an interface"),
        pytest.param(peer(password="x", passwordSecret={"name": "s"}),  # noqa: S106
                     "spec.passwordSecret", "beside spec.password", id="a password and a Secret"),
        pytest.param(peer(passwordFile="/key", passwordSecret={"name": "s"}),
                     "spec.passwordSecret", "beside spec.passwordFile", id="a file and a Secret"),
        pytest.param(peer(localASN=64513), "spec.localASN", "must differ", id="localASN as peer's"),
        pytest.param(peer(peerAdress="192.0.2.1"), "spec.peerAdress", "known here are ",
                     id="a misspelled field"),
        pytest.param(peer(nodeSelectors=[expression(key=None)]),
                     "spec.nodeSelectors[0].matchExpressions[0].key", "text",
                     id="an expression without a key"),
        pytest.param(peer(nodeSelectors=[{"matchExpressions": [{"key": "k", "values": ["a"]}]}]),
                     "spec.nodeSelectors[0].matchExpressions[0].operator", "is required",
                     id="an expression without an operator"),
        pytest.param(peer(nodeSelectors=[expression(values=[])]),
                     "spec.nodeSelectors[0].matchExpressions[0].values", "at least one value",
                     id="In without values"),
        pytest.param(peer(nodeSelectors=[expression(operator="Exists")]),
                     "spec.nodeSelectors[0].matchExpressions[0].values", "must be absent",
                     id="Exists with values"),
        pytest.param(peer(nodeSelectors=[expression(values=["a", "a"])]),
                     "spec.nodeSelectors[0].matchExpressions[0].values", "repeats a value",
                     id="a repeated value"),
        pytest.param(peer(nodeSelectors=[{"matchLabels": {"a": "b"}}] * 2),
                     "spec.nodeSelectors[1]", "repeats a selector", id="a repeated selector"),
        pytest.param(peer(nodeSelectors=[{"matchLabels": {"rack": 1}}]),
                     "spec.nodeSelectors[0].matchLabels[...]", "quote numbers",
                     id="a label value that is a number"),
        pytest.param(pool("p", "192.300.0.0/24"), "spec.addresses[0]", "must be a block such as",
                     id="a block that is none"),
        pytest.param(pool("p", "192.0.2.10-192.0.2.1"), "spec.addresses[0]", "runs backwards",
                     id="a range that runs backwards"),
        pytest.param(pool("p", "192.0.2.0/24", "192.0.2.128/25"), "spec.addresses[1]",
                     "overlaps 192.0.2.0/24 of the same pool", id="blocks that overlap"),
        pytest.param(pool("p", ""), "spec.addresses[0]", "must be a block", id="an empty block"),
        pytest.param(ours("IPAddressPool", "p", {"addresses": []}), "spec.addresses", "a block",
                     id="a pool of nothing"),
        pytest.param(ours("IPAddressPool", "p"), "spec", "is required", id="a pool without spec"),
        pytest.param(ours("IPAddressPool", "P", {"addresses": ["192.0.2.0/24"]}), "metadata.name",
                     "RFC 1123", id="a name in upper case"),
        pytest.param(ours("BGPAdvertisement", "a", {"aggregationLength": 34}),
                     "spec.aggregationLength", "34 is not allowed; must be 1..32",
                     id="an aggregate of 34 bits"),
        pytest.param(ours("BGPAdvertisement", "a", {"aggregationLength": 24,
                                                    "serviceSelectors": [{}]}),
                     "spec.aggregationLength", "must be 32 where spec.serviceSelectors",
                     id="an aggregate of chosen Services"),
        pytest.param(ours("BGPAdvertisement", "a", {"med": -1}), "spec.med", "0..4294967295",
                     id="a negative MED"),
        pytest.param(ours("BGPAdvertisement", "a", {"distribution": "anycast"}),
                     "spec.distribution", "one of ecmp, activeStandby",
                     id="an unknown distribution"),
        pytest.param(ours("BGPAdvertisement", "a", {"weight": "nodes"}), "spec.weight",
                     "one of none, endpoints", id="an unknown weight"),
        pytest.param(ours("BGPAdvertisement", "a", {"preferredNodes": [
                         {"weight": 1, "preference": {}}]}), "spec.preferredNodes",
                     "needs spec.distribution activeStandby", id="preferred among equals"),
        pytest.param(ours("BGPAdvertisement", "a", {"distribution": "activeStandby",
                         "preferredNodes": [{"weight": 101, "preference": {}}]}),
                     "spec.preferredNodes[0].weight", "1..100", id="a weight of 101"),
        pytest.param(ours("IPAddressPool", "p", {"addresses": ["192.0.2.0/24"],
                                                 "reserved": ["192.0.2.1"]}),
                     "spec.reserved[0]", "must be a block such as", id="a reserved address"),
        pytest.param(ours("IPAddressPool", "p", {"addresses": ["192.0.2.0/24"],
                                                 "reuseDelay": "25h"}),
                     "spec.reuseDelay", "0s..24h in whole seconds", id="a delay of 25 hours"),
        pytest.param(ours("Community", "c", {"communities": [{"name": "a", "value": "12345"}]}),
                     "spec.communities[0].value", "must be a:b", id="an alias of no community"),
        pytest.param(ours("Community", "c", {"communities": [{"name": "a:b", "value": "1:2"}]}),
                     "spec.communities[0].name", "without ':'", id="an alias like a community"),
        pytest.param(ours("Community", "c", {"communities": [{"name": "a", "value": "1:2"}] * 2}),
                     "spec.communities[1].name", "stands twice", id="an alias twice"),
        pytest.param(ours("BFDProfile", "b", {"receiveInterval": 2}), "spec.receiveInterval",
                     "10..60000", id="BFD each 2 ms"),
        pytest.param(ours("BFDProfile", "b", {"detectMultiplier": 1}), "spec.detectMultiplier",
                     "2..255", id="BFD without a second chance"),
        pytest.param(ours("L2Advertisement", "l", {"interfaces": ["eth0", "eth0"]}),
                     "spec.interfaces[1]", "stands twice", id="an interface twice"),
        pytest.param(ours("BGPAdvertisement", "a", {"aggregationLengthV6": 129}),
                     "spec.aggregationLengthV6", "must be 1..128", id="an aggregate of 129 bits"),
        pytest.param(ours("BGPAdvertisement", "a", {"asPathPrepend": 11}), "spec.asPathPrepend",
                     "0..10", id="eleven prepends"),
        pytest.param(ours("BGPAdvertisement", "a", {"localPref": -1}), "spec.localPref",
                     "0..4294967295", id="a negative preference"),
        pytest.param(ours("BGPAdvertisement", "a", {"communities": ["12345"]}),
                     "spec.communities[0]", "must be a:b", id="a community that is none"),
        pytest.param(ours("BGPAdvertisement", "a", {"communities": ["1:2:3"]}),
                     "spec.communities[0]", "large:a:b:c", id="a large community without its word"),
        pytest.param(ours("BGPAdvertisement", "a", {"communities": ["large:1:x:3"]}),
                     "spec.communities[0]", "large:a:b:c", id="a large community with a letter"),
        pytest.param(ours("BGPAdvertisement", "a", {"communities": ["an alias"]}),
                     "spec.communities[0]", "a name that a Community", id="a blank in an alias"),
        pytest.param(ours("BGPAdvertisement", "a", {"communities": ["edge", "edge"]}),
                     "spec.communities[1]", "stands twice", id="the same alias twice"),
        pytest.param(ours("BGPAdvertisement", "a", {"communities": ["1:2", "1:2"]}),
                     "spec.communities[1]", "stands twice", id="a community twice"),
        pytest.param(ours("BGPAdvertisement", "a", {"communities": ["large:1:2:3"],
                                                    "largeCommunities": ["1:2:3"]}),
                     "spec.largeCommunities[0]", "stands twice", id="a large community twice"),
        pytest.param(ours("BGPAdvertisement", "a", {"ipAddressPools": ["p", "p"]}),
                     "spec.ipAddressPools[1]", "stands twice", id="a pool twice"),
        pytest.param(ours("BGPAdvertisement", "a", {"serviceSelectors": [{}, {}]}),
                     "spec.serviceSelectors[1]", "repeats", id="a service selector twice"),
        pytest.param(ours("SpeakerPolicy", "s", {"mesh": {"intervalMilliseconds": 9}}),
                     "spec.mesh.intervalMilliseconds", "10..1000", id="heartbeats each 9 ms"),
        pytest.param(ours("SpeakerPolicy", "s", {"mesh": {"multiplier": 1}}),
                     "spec.mesh.multiplier", "2..20", id="one miss"),
        pytest.param(ours("SpeakerPolicy", "s", {"agentGraceSeconds": 0}),
                     "spec.agentGraceSeconds", "1..86400", id="no grace"),
        pytest.param(ours("SpeakerPolicy", "s", {"drainMilliseconds": 600001}),
                     "spec.drainMilliseconds", "0..600000", id="a drain above ten minutes"),
        pytest.param(service(externalTrafficPolicy="Nearby"), "spec.externalTrafficPolicy",
                     "one of Cluster, Local", id="an unknown traffic policy"),
    ],
)  # fmt: skip
def test_what_is_not_legal_is_refused_with_its_path_and_what_would_be(
    document: Document, path: str, words: str
) -> None:
    """Each illegal field is found, named and explained; nothing else is said to be wrong."""
    found = read("f.yaml", text(document))
    assert [one.path for one in found.problems if one.refused] == [path]
    assert words in found.problems[0].message
    assert not found.objects


def test_a_misspelled_provider_is_one_mistake() -> None:
    """What a provider makes optional is not asked for, and what is for some is not refused."""
    misspelled: Document = {"provider": "Packet", "providerURL": "http://m/", "providerSite": "ams"}
    (problem,) = read("f.yaml", text(ours("BGPPeer", "packet", misspelled))).problems
    assert problem.refused
    assert 'spec.provider: "Packet" is not allowed; must be one of packet, ' in problem.message


def test_a_password_is_never_shown() -> None:
    """A sentence may end in a log or in a ticket."""
    (sentence,) = problems(peer(password="geheim\n"))  # noqa: S106
    assert "geheim" not in sentence
    assert "(hidden) cannot be a TCP MD5 key" in sentence


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param({"apiVersion": "bgpd.io/v1alpha1", "kind": "BGPPeeer", "metadata": NAMED},
                     "'BGPPeeer' of bgpd.io/v1alpha1 is not supported; known are BFDProfile, BG",
                     id="a misspelled kind of ours"),
        pytest.param({"apiVersion": "metallb.io/v1beta1", "kind": "AddressPool",
                      "metadata": {"name": "x"}}, "'AddressPool'", id="a kind of MetalLB's"),
        pytest.param({"apiVersion": "bgpd.io/v1", "kind": "BGPPeer", "metadata": {"name": "x"}},
                     "must be one of bgpd.io/v1alpha1, metallb.io/v1beta1, metallb.io/v1beta2",
                     id="an unknown version"),
        pytest.param({"apiVersion": "v1", "metadata": {"name": "x"}}, "kind: is required",
                     id="no kind"),
        pytest.param({"kind": "Service", "metadata": {"name": "x"}}, "apiVersion: is required",
                     id="no apiVersion"),
        pytest.param({"apiVersion": "v1", "kind": "Service"}, "metadata.name: is required",
                     id="no name"),
    ],
)  # fmt: skip
def test_what_is_no_document_of_ours_but_looks_like_one_is_reported(
    document: Document, words: str
) -> None:
    """A misspelled kind must not vanish without a word."""
    (sentence,) = problems(document)
    assert words in sentence


@pytest.mark.parametrize(
    ("version", "kind", "incomplete"),
    [
        pytest.param("bgpd.io/v1alpha1", "BGPPeeer", True, id="a slip in a kind of ours"),
        pytest.param("v1", "Servicee", True, id="a slip in a kind of Kubernetes'"),
        pytest.param("metallb.io/v1beta1", "L2Advertisement", False, id="a kind that we leave out"),
        pytest.param("v1", "ServiceAccount", False, id="another kind with a similar name"),
        pytest.param("example.org/v1", "Servicee", False, id="somebody else's group"),
    ],
)
def test_a_slip_in_the_kind_takes_nothing_away(
    version: str, kind: str, *, incomplete: bool
) -> None:
    """The object that the document was before stays, because nobody asked for its end."""
    slip = {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}}
    assert read("f.yaml", text(pool(), slip)).incomplete is incomplete


@pytest.mark.parametrize(
    "document",
    [
        {"apiVersion": "bgpd.io/v1alpha1", "kind": "x\ny" * 999, "metadata": {"name": "\x1b[31m"}},
        peer("a\nb"),
        ours("BGPPeer", "p", {"x\ny": 1}),
        peer(peerAddress="192.0.2.1\n\ud800"),
    ],
)
def test_a_sentence_is_one_line_whatever_the_document_holds(document: Document) -> None:
    """What somebody wrote into a document cannot pretend to be another line of a log."""
    for one in problems(document):
        assert one.isprintable()
        assert len(one) <= 1000


BOMB = "\n".join(
    [
        "x0: &x0 [a, a, a, a, a, a, a, a, a, a]",
        *(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 12)),
    ]
)
MERGES = "\n".join(
    [
        "x0: &x0 {a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8, i: 9, j: 10}",
        *(f"x{n}: &x{n} {{<<: [{', '.join([f'*x{n - 1}'] * 10)}]}}" for n in range(1, 12)),
    ]
)
HEAD = "apiVersion: bgpd.io/v1alpha1\nkind: {kind}\nmetadata: {{name: x}}\n"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"{BOMB}\n{HEAD.format(kind='BGPPeer')}spec: {{myASN: *x11}}", id="a value"),
        pytest.param(f"{BOMB}\n{HEAD.format(kind='IPAddressPool')}"
                     "spec: {addresses: [x], serviceAllocation: {x: *x11}}", id="any shape"),
        pytest.param(f"{MERGES}\n{HEAD.format(kind='BGPPeer')}spec: *x11", id="merged keys"),
    ],
)  # fmt: skip
def test_a_few_lines_cannot_ask_for_all_memory(content: str) -> None:
    """Aliases that multiply end in words, at once."""
    found = read("f.yaml", content.encode())
    assert found.problems
    assert all(len(one.message) < 500 for one in found.problems)


def test_other_peoples_kinds_are_not_our_business() -> None:
    """A directory of a whole application's manifests can be read."""
    other = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}}
    assert read("f.yaml", text(other, pool())).problems == ()


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# nothing\n", b"---\n---\n", b"null\n"])
def test_an_empty_file_is_a_mistake_not_a_wish(content: bytes) -> None:
    """It says nothing about what it held before."""
    found = read("f.yaml", content)
    assert found.incomplete
    assert "is empty; remove the file" in found.problems[0].message


@pytest.mark.parametrize("content", [b"just text", b"[1, 2]", b"- a\n- b\n", b"42", b"a: [\n"])
def test_what_cannot_be_named_leaves_the_file_incomplete(content: bytes) -> None:
    """Nothing that the file held before may be taken for gone."""
    assert read("f.yaml", content).incomplete


def test_a_list_is_its_items() -> None:
    """What `kubectl get -o yaml` prints can be read back."""
    plain = {"apiVersion": "v1", "kind": "List", "items": [pool("a"), peer("b", myASN=0)]}
    found = read("f.yaml", text(plain))
    assert set(found.objects) == {Key("IPAddressPool", "", "a")}
    assert found.problems[0].source == "f.yaml document 1 item 2"


def test_the_items_of_a_typed_list_need_no_kind() -> None:
    """What the API itself answers to a list request can be read."""
    item = {
        key: value for key, value in service("a").items() if key in {"metadata", "spec", "status"}
    }
    content = json.dumps({"apiVersion": "v1", "kind": "ServiceList", "items": [item]}).encode()
    assert set(read("f.json", content).objects) == {Key("Service", "default", "a")}


def test_the_same_object_twice_in_a_file_is_one_and_a_problem() -> None:
    """The first holds; the sentence names both places."""
    found = read("f.yaml", text(pool("a"), pool("a", "198.51.100.0/24")))
    assert len(found.objects) == 1
    assert (
        "f.yaml document 2 (IPAddressPool a): is already in f.yaml document 1"
        in found.problems[0].message
    )


@pytest.mark.parametrize(("version", "kind"), sorted(KINDS))
def test_every_version_of_every_kind_is_read(version: str, kind: str) -> None:
    """A MetalLB cluster's manifests are read as they are."""
    specs = {
        "IPAddressPool": pool()["spec"],
        "BGPPeer": peer()["spec"],
        "HealthCheck": {"ntp": {}},
    }
    document = {"apiVersion": version, "kind": kind, "metadata": {"name": "x"},
                "spec": specs.get(kind, {})}  # fmt: skip
    if kind == "Secret":
        document |= {"type": "kubernetes.io/basic-auth", "stringData": {"password": "x"}}
    found = read("f.yaml", text(document))
    assert len(found.objects) == 1
    assert not any(one.refused for one in found.problems)


def test_nulls_are_read_as_absent() -> None:
    """Servers and clients send null for what is not set."""
    spec = dict.fromkeys(("nodeSelectors", "password", "takeover", "families", "vrf"))
    plain = peer()
    assert (
        read("f", text(peer() | {"spec": {**plain["spec"], **spec}})).objects
        == read("f", text(plain)).objects
    )
    empty = {"endpoints": None, "metadata": {"name": "s", "labels": None}}
    assert read("f", text(endpoint_slice("s", "web") | empty)).problems == ()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "spec", "metadata", "x", "a.b", "[0]", "`"]), inner
        )
    ),
    max_leaves=8,
)


@calm
@given(st.binary(max_size=300), st.sampled_from(["f.yaml", "f.json"]))
def test_any_bytes_are_read_or_refused(content: bytes, name: str) -> None:
    """Whatever a file holds: objects, or words; something is always said about it."""
    found = read(name, content)
    assert found.objects or found.problems


@calm
@given(st.sampled_from(sorted(KINDS)), st.dictionaries(st.text(max_size=12), _JSON, max_size=4))
def test_any_document_is_decoded_or_refused(kind: tuple[str, str], fields: Document) -> None:
    """Whatever the fields of a document are, it is an object or damaged, and never both."""
    document = {"metadata": {"name": "x"}, **fields, "apiVersion": kind[0], "kind": kind[1]}
    found = read("f.yaml", text(document))
    assert found.objects or found.foreign or any(one.refused for one in found.problems)
    assert not found.damaged & found.objects.keys()


@calm
@given(
    st.sampled_from(["BGPPeer", "BGPAdvertisement", "IPAddressPool", "SpeakerPolicy"]),
    st.data(),
)
def test_any_value_in_a_known_field_is_decoded_or_refused(kind: str, data: st.DataObject) -> None:
    """The same where every field is one that exists."""
    names = [path.split(".")[1] for path in fields_of(kind) if path.count(".") == 1
             and path.startswith("spec.")]  # fmt: skip
    chosen = data.draw(st.dictionaries(st.sampled_from(names), _JSON, max_size=3))
    base = {"BGPPeer": peer(), "IPAddressPool": pool()}.get(kind, ours(kind, "x", {}))
    spec = {**base["spec"], **chosen}
    found: Documents = read("f.yaml", text({**base, "spec": spec}))
    assert found.objects or any(one.refused for one in found.problems)
