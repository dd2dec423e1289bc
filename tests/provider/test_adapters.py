"""What adapters do beyond their samples: which server is ours, which group, which annotation."""

import base64
from typing import Any

import pytest

from bgpd.model.errors import ConfigError
from bgpd.model.prefix import Address, Family
from bgpd.model.provider import ProviderKind, ProviderPeer
from bgpd.provider.adapter import Annotated, Asker, Documented, Fetched
from bgpd.provider.adapters import ADAPTERS
from tests.provider.table import SAMPLES

NOBODY = Asker()


def parse(kind: ProviderKind, document: object, asker: Asker = NOBODY) -> tuple[ProviderPeer, ...]:
    """Return what the adapter of *kind* makes of *document*."""
    return ADAPTERS[kind].parse(document, asker)


def sample(name: str) -> Any:
    """Return the document of the sample *name*."""
    return next(one.document for one in SAMPLES if one.name == name)


def addresses(peers: tuple[ProviderPeer, ...]) -> list[str]:
    """Return the routers' addresses."""
    return [one.address for one in peers]


def test_each_kind_has_an_adapter() -> None:
    """A word that a document may say is one that is done."""
    assert set(ADAPTERS) == set(ProviderKind)


def test_each_adapter_says_where_its_document_is_and_what_an_empty_one_means() -> None:
    """A provider that is asked has a place to ask, unless a person must say which server."""
    for kind, adapter in ADAPTERS.items():
        match adapter.origin:
            case Fetched(urls=urls):
                assert bool(urls) is (kind is not ProviderKind.CHERRY)
                assert adapter.empty
            case Annotated():
                assert adapter.empty
            case Documented():
                assert parse(kind, None, Asker(site="6"))


# Packet


def test_where_a_gateway_is_given_none_is_looked_for() -> None:
    """The API's list of neighbors has no addresses; `spec.gateway` stands in for them."""
    document = {"bgp_neighbors": sample("packet_v4_multihop_md5")["bgp_neighbors"]}
    with pytest.raises(ConfigError, match=r"^network\.addresses is missing.*or set spec\.gateway$"):
        parse(ProviderKind.PACKET, document)
    found = parse(ProviderKind.PACKET, document, Asker(gateway="10.99.182.128"))
    assert [one.gateway for one in found] == ["", ""]


def test_the_addresses_of_the_apis_device_document_do_as_well() -> None:
    """The API calls `network.addresses` of the metadata `ip_addresses`."""
    whole = sample("packet_v4_multihop_md5")
    document = {
        "bgp_neighbors": whole["bgp_neighbors"],
        "ip_addresses": whole["network"]["addresses"],
    }
    assert parse(ProviderKind.PACKET, document) == parse(ProviderKind.PACKET, whole)


def test_a_router_on_a_network_of_ours_needs_no_route() -> None:
    """Legacy sessions are with the gateway of the /31 itself."""
    document = sample("packet_v4_singlehop_nomd5")
    document = {
        **document,
        "bgp_neighbors": [{**document["bgp_neighbors"][0], "peer_ips": ["10.99.182.128"]}],
    }
    assert [one.gateway for one in parse(ProviderKind.PACKET, document)] == [""]


def test_of_two_private_networks_the_one_of_the_source_is_the_way() -> None:
    """A server with two bonds has two private management addresses."""
    document = sample("packet_v4_multihop_md5")
    other = {
        **document["network"]["addresses"][2],
        "address": "10.50.0.1",
        "gateway": "10.50.0.0",
    }
    network = {"addresses": [other, *document["network"]["addresses"]]}
    found = parse(ProviderKind.PACKET, {**document, "network": network})
    assert {one.gateway for one in found} == {"10.99.182.128"}


def test_no_neighbors_is_an_answer_and_no_list_is_none() -> None:
    """BGP that is switched off is known; a document without the list says nothing."""
    assert parse(ProviderKind.PACKET, {"bgp_neighbors": []}) == ()
    with pytest.raises(ConfigError):
        parse(ProviderKind.PACKET, {"bgp_neighbors": None})


def test_a_family_that_contradicts_its_addresses_is_refused() -> None:
    """IPv6 routers under `address_family: 4` would get IPv4 routes."""
    neighbor = {**sample("packet_v6_multihop_md5")["bgp_neighbors"][0], "address_family": 4}
    with pytest.raises(ConfigError, match=r"^bgp_neighbors\[0\]\.peer_ips\[0\]: .* IPv4 address$"):
        parse(ProviderKind.PACKET, {"bgp_neighbors": [neighbor]})


def test_one_family_without_routers_takes_nothing_from_the_other() -> None:
    """A session that is not provisioned yet has an empty list."""
    document = sample("packet_v4v6_multihop_md5")
    second = {**document["bgp_neighbors"][1], "peer_ips": []}
    document = {**document, "bgp_neighbors": [document["bgp_neighbors"][0], second]}
    assert addresses(parse(ProviderKind.PACKET, document)) == ["169.254.255.1", "169.254.255.2"]


def test_a_password_that_is_enabled_and_not_there_is_a_mistake() -> None:
    """Without it the session would be lost: what was known before is better."""
    document = sample("packet_v4_multihop_md5")
    for nothing in (None, ""):
        neighbor = {**document["bgp_neighbors"][0], "md5_password": nothing}
        with pytest.raises(ConfigError, match="md5_password"):
            parse(ProviderKind.PACKET, {**document, "bgp_neighbors": [neighbor]})


# Vultr


def test_a_section_that_is_filled_by_half_is_refused() -> None:
    """All empty is disabled; half is a document that is being written."""
    for name in ("peer-address", "peer-asn", "my-asn"):
        section = {**sample("vultr_filled")["bgp"]["ipv4"], name: ""}
        with pytest.raises(ConfigError, match=rf"^bgp\.ipv4\.{name}: '' must be"):
            parse(ProviderKind.VULTR, {"bgp": {"ipv4": section}})


# Cherry Servers


def test_a_server_finds_itself_by_address_where_its_name_is_another() -> None:
    """Nodes are not always called what the server is called."""
    found = parse(
        ProviderKind.CHERRY,
        sample("cherry_servers"),
        Asker(node="worker-3", addresses=(Address("10.179.192.2"),)),
    )
    assert addresses(found) == ["46.166.166.122", "46.166.166.123"]


def test_a_project_without_our_server_is_refused() -> None:
    """Peers of another server are no peers of ours."""
    with pytest.raises(ConfigError, match="none of them is worker-3 by hostname"):
        parse(ProviderKind.CHERRY, sample("cherry_servers"), Asker(node="worker-3"))


# phoenixNAP


def test_of_several_groups_the_site_says_which() -> None:
    """Peers of another location cannot be reached."""
    one = sample("phoenixnap_v6")[0]
    groups = [{**one, "location": "PHX", "peeringLoopbacksV4": ["169.254.1.1"]}, one]
    with pytest.raises(ConfigError, match=r"set spec\.providerSite"):
        parse(ProviderKind.PHOENIXNAP, groups)
    assert addresses(parse(ProviderKind.PHOENIXNAP, groups, Asker(site="PHX")))[0] == "169.254.1.1"


def test_a_group_that_is_in_error_is_no_answer() -> None:
    """Its routers may not know us; what was known before is better."""
    group = {**sample("phoenixnap_v6")[0], "status": "ERROR"}
    with pytest.raises(ConfigError, match="status: 'ERROR' must be one of BUSY, PENDING, READY"):
        parse(ProviderKind.PHOENIXNAP, group)


# Annotations


def test_our_own_annotation_wins_over_a_controllers() -> None:
    """A person corrects what a cloud controller writes, for one router."""
    found = parse(
        ProviderKind.ANNOTATIONS,
        {
            **sample("annotations_indexed"),
            "bgpd.io/bgp-peers-7-peer-ip": "169.254.255.2",
            "bgpd.io/bgp-peers-7-src-ip": "10.0.0.9",
        },
    )
    sources = {one.address: one.local_address for one in found}
    assert sources == {"169.254.255.2": "10.0.0.9", "169.254.255.1": "10.66.142.17"}


def test_a_password_is_decoded() -> None:
    """Cloud controllers write it in base64."""
    key = base64.b64encode(b"s3cret").decode()
    document = {"bgpd.io/peer-ip": "10.0.0.1", "bgpd.io/bgp-pass": key}
    assert [one.password for one in parse(ProviderKind.ANNOTATIONS, document)] == ["s3cret"]


def test_other_annotations_are_nobodys_peers() -> None:
    """Neither those of other programs, nor other words of the same."""
    document = {"example.com/peer-ip": "10.0.0.1", "metal.equinix.com/network-4-private": "x"}
    assert parse(ProviderKind.ANNOTATIONS, document) == ()


# Constants


@pytest.mark.parametrize("site", ["6", "newark", "Newark"])
def test_linodes_routers_depend_on_the_data_center(site: str) -> None:
    """The number stands in the address in decimal digits."""
    found = parse(ProviderKind.LINODE, None, Asker(site=site))
    assert addresses(found) == [f"2600:3c0f:6:34::{router}" for router in (1, 2, 3, 4)]
    assert {one.families for one in found} == {(Family.IPV4, Family.IPV6)}


@pytest.mark.parametrize("site", ["", "0", "10000", "six", "²"])
def test_a_data_center_that_nobody_has_is_refused(site: str) -> None:
    """The sentence lists what there is."""
    with pytest.raises(ConfigError, match=r"spec\.providerSite: .* or one of frankfurt, london"):
        parse(ProviderKind.LINODE, None, Asker(site=site))


def test_what_is_agreed_with_the_customer_is_left_to_the_document() -> None:
    """An ASN for us and a password are in the contract with myLoc."""
    found = parse(ProviderKind.MYLOC, None)
    assert {(one.local_asn, one.password_required) for one in found} == {(None, True)}
    assert {one.gateway for one in found} == {"default"}
    assert {one.passive for one in parse(ProviderKind.INGENUITY, None)} == {True}
