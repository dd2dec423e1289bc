"""Every field of MetalLB's kinds is taken; what bgpd does not do is said, and refuses nothing."""

from typing import Any

import pytest

from bgpd.kube.documents import Documents, Key, read
from bgpd.kube.problem import Standing, conditions_of
from bgpd.model.configuration import (
    BFDProfile,
    BGPAdvertisement,
    BGPPeer,
    Community,
    IPAddressPool,
)
from tests.kube.build import Document, ours, peer, pool, text


def unsupported(*documents: Document) -> list[str]:
    """Return the paths in one file of *documents* that ask for what is not done."""
    found = read("f.yaml", text(*documents))
    assert len(found.objects) == len(documents)
    assert {one.standing for one in found.problems} <= {Standing.UNSUPPORTED}
    return [one.path for one in found.problems]


def only(found: Documents) -> Any:
    """Return the one object of a file."""
    (one,) = found.objects.values()
    return one


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        pytest.param({"vrf": "red"}, "spec.vrf", id="a VRF"),
        pytest.param({"peerAddress": None, "interface": "eth0"}, "spec.interface",
                     id="an interface without an address"),
        pytest.param({"peerASN": None, "dynamicASN": "external"}, "spec.dynamicASN",
                     id="whatever ASN the peer has"),
    ],
)  # fmt: skip
def test_a_peer_that_asks_for_more_is_taken(spec: Document, path: str) -> None:
    """The session would be another one without it, so there is none."""
    assert unsupported(peer(**spec)) == [path]
    found = only(read("f.yaml", text(peer(**spec))))
    assert isinstance(found, BGPPeer)
    assert found.without_session


def test_a_sentence_says_what_happens_instead() -> None:
    """Whoever reads it knows whether there is a session, and what to do."""
    (problem,) = read("f.yaml", text(peer("tor", vrf="red"))).problems
    assert problem.message == (
        "f.yaml document 1 (BGPPeer tor): spec.vrf: red is not supported by bgpd;"
        " this peer gets no session until it is removed"
    )
    (condition,) = conditions_of([problem])
    assert (condition.type, condition.reason, condition.status) == ("NotSupported", "BGPPeer", True)


L2 = {
    "ipAddressPools": ["p"],
    "ipAddressPoolSelectors": [{"matchLabels": {"a": "b"}}],
    "nodeSelectors": [{}],
    "serviceSelectors": [{}],
    "interfaces": ["eth0"],
    "preferredNodeSelectors": [{"weight": 100, "preference": {}}],
}


@pytest.mark.parametrize("version", ["bgpd.io/v1alpha1", "metallb.io/v1beta1"])
def test_kinds_that_are_not_done_are_taken_and_said(version: str) -> None:
    """A manifest of MetalLB's passes whole, and no word in it is lost in silence."""
    versions: list[Document] = [L2, {}]
    for wanted in versions:
        document = ours("L2Advertisement", "x", wanted) | {"apiVersion": version}
        assert unsupported(document) == [""]


@pytest.mark.parametrize("version", ["bgpd.io/v1alpha1", "metallb.io/v1beta1"])
def test_a_profile_of_bfd_holds_without_its_echoes(version: str) -> None:
    """MetalLB's manifest means here what it means there, and a person hears what is not done."""
    spec = {"receiveInterval": 10, "transmitInterval": 60000, "detectMultiplier": 255,
            "echoInterval": 60, "echoMode": True, "passiveMode": True,
            "minimumTtl": 200}  # fmt: skip
    document = ours("BFDProfile", "x", spec) | {"apiVersion": version}
    assert unsupported(document) == ["spec.echoMode"]
    assert only(read("f.yaml", text(document))) == BFDProfile(
        name="x",
        receive_interval=10,
        transmit_interval=60000,
        detect_multiplier=255,
        echo_interval=60,
        echo_mode=True,
        passive_mode=True,
        minimum_ttl=200,
    )


def test_an_interval_of_echoes_alone_has_no_effect() -> None:
    """It is said, and it is nothing that a person must correct."""
    found = read("f.yaml", text(ours("BFDProfile", "x", {"echoInterval": 60})))
    (problem,) = found.problems
    assert (problem.path, problem.standing) == ("spec.echoInterval", Standing.IGNORED)
    assert only(found) == BFDProfile(name="x", echo_interval=60)


def test_a_field_that_only_a_newer_metallb_has_holds_nothing_back() -> None:
    """In our own kinds an unknown field is a misspelled one; in theirs it is a newer one."""
    newer = peer(newTrick=True) | {"apiVersion": "metallb.io/v1beta2"}
    assert unsupported(newer) == ["spec.newTrick"]
    (problem,) = read("f.yaml", text(peer(newTrick=True))).problems
    assert problem.refused


def test_what_metallb_writes_itself_is_passed_over() -> None:
    """A dump of a whole namespace is no list of complaints."""
    reports = [
        {"apiVersion": "metallb.io/v1beta1", "kind": kind, "metadata": {"name": "x"}}
        for kind in ("ServiceBGPStatus", "ServiceL2Status", "ConfigurationState")
    ]
    found = read("f.yaml", text(*reports, pool()))
    assert (len(found.objects), found.problems, len(found.foreign)) == (1, (), 3)


def test_communities_have_names() -> None:
    """An advertisement keeps the names; what they stand for is for policy to find."""
    names = [{"name": "edge", "value": "1:02"}, {"name": "big-1", "value": "large:1:2:03"}]
    found = only(read("f.yaml", text(ours("Community", "c", {"communities": names}))))
    assert found == Community(name="c", values={"edge": "1:2", "big-1": "large:1:2:3"})
    spec = {"communities": ["edge", "3:4", "large:5:6:7", "no-such-alias"]}
    advertisement = only(read("f.yaml", text(ours("BGPAdvertisement", "a", spec))))
    assert isinstance(advertisement, BGPAdvertisement)
    assert advertisement.aliases == ("edge", "no-such-alias")
    assert advertisement.communities == ("3:4",)
    assert advertisement.large_communities == ("5:6:7",)


def test_everything_new_of_an_advertisement_is_read() -> None:
    """Lengths, MED, who is preferred, and weight."""
    preferred = [{"weight": 80, "preference": {"matchLabels": {"rack": "a"}}}]
    spec = {"med": 7, "aggregationLength": 26, "aggregationLengthV6": 64, "weight": "endpoints",
            "distribution": "activeStandby", "preferredNodes": preferred}  # fmt: skip
    found = only(read("f.yaml", text(ours("BGPAdvertisement", "a", spec))))
    assert isinstance(found, BGPAdvertisement)
    assert (found.med, found.aggregation_length, found.aggregation_length_v6) == (7, 26, 64)
    assert (found.distribution, found.weight) == ("activeStandby", "endpoints")
    assert [one.weight for one in found.preferred_nodes] == [80]


def test_everything_new_of_a_pool_is_read() -> None:
    """Reserved addresses, the pause before reuse, and the largest block of each entry."""
    spec = {"addresses": ["192.0.2.2-192.0.2.254", "198.51.100.0/28"], "reuseDelay": "1m30s",
            "reserved": ["192.0.2.8/30", "198.51.100.14-198.51.100.15"]}  # fmt: skip
    found = only(read("f.yaml", text(ours("IPAddressPool", "p", spec))))
    assert isinstance(found, IPAddressPool)
    assert found.largest == ("192.0.2.64/26", "198.51.100.0/28")
    assert found.reserved == ("192.0.2.8/30", "198.51.100.14/31")
    assert found.reuse_delay == 90


def test_a_reserved_block_beside_the_pool_is_a_slip_that_is_told() -> None:
    """It holds nothing back and protects nothing."""
    spec = {"addresses": ["192.0.2.0/24"], "reserved": ["198.51.100.0/24"]}
    (problem,) = read("f.yaml", text(ours("IPAddressPool", "p", spec))).problems
    assert (problem.path, problem.standing) == ("spec.reserved[0]", Standing.IGNORED)


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
BASIC = {**SECRET, "type": "kubernetes.io/basic-auth"}


@pytest.mark.parametrize(
    "fields", [{"stringData": {"password": "hunter2"}}, {"data": {"password": "aHVudGVyMg=="}}]
)
def test_a_secret_is_read_as_people_and_as_servers_write_it(fields: Document) -> None:
    """Plain, or base64."""
    found = read("f.yaml", text({**BASIC, **fields}))
    assert only(found).password == "hunter2"  # noqa: S105


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        pytest.param({}, "data.password", id="no password"),
        pytest.param({"data": {"password": "hunter2!"}}, "data.password", id="no base64"),
        pytest.param({"data": {"password": "aHVudGVyMgo="}}, "data.password", id="a line end"),
        pytest.param({"stringData": {"password": ""}}, "stringData.password", id="empty"),
    ],
)
def test_a_secret_that_is_wrong_is_refused_without_its_content(fields: Any, path: str) -> None:
    """What was in force stays, and nobody reads a password in a log."""
    found = read("f.yaml", text({**BASIC, **fields}))
    (problem,) = found.problems
    assert (problem.path, problem.refused) == (path, True)
    assert found.damaged == {Key("Secret", "", "s")}
    assert "hunter2" not in problem.message
    assert "aHVudGVyMg" not in problem.message


def test_other_secrets_are_nobodys_business() -> None:
    """A directory may hold a certificate beside the peers."""
    found = read("f.yaml", text({**SECRET, "type": "Opaque", "stringData": {"password": "x"}}))
    assert (found.objects, found.problems, found.foreign) == ({}, (), ("Secret s",))


def test_a_secret_lives_beside_its_peer() -> None:
    """Nobody may have an agent read in another namespace."""
    document = peer(passwordSecret={"name": "s", "namespace": "other"})
    assert only(read("f.yaml", text(document))).password_secret == "s"  # noqa: S105
    document["metadata"]["namespace"] = "bgpd"
    (problem,) = read("f.yaml", text(document)).problems
    assert (problem.path, problem.refused) == ("spec.passwordSecret.namespace", True)
    assert "must be bgpd" in problem.message
