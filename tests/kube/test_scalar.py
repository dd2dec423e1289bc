"""The small languages inside documents."""

import ipaddress
import itertools
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgpd.kube import scalar

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1m30s", 90), ("1h", 3600), ("0s", 0), ("0", 0), ("3000ms", 3)],
)
def test_go_durations_are_read(text: str, seconds: int) -> None:
    """A duration as MetalLB's users write it is a number of seconds."""
    assert scalar.parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "s", "1.5s", "1500ms", "-3s", "3 s", "3s1m"])
def test_other_durations_are_refused(text: str) -> None:
    """What is not a duration in whole seconds is refused."""
    with pytest.raises(ValueError, match="is not a"):
        scalar.parse_seconds(text)


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        pytest.param("192.0.2.7/24", ("192.0.2.0/24",), id="host bits are masked off"),
        pytest.param("192.0.2.1 - 192.0.2.4", ("192.0.2.1/32", "192.0.2.2/31", "192.0.2.4/32"),
                     id="a range becomes its minimal cover, blanks around the dash are allowed"),
        pytest.param("192.0.2.0-192.0.2.255", ("192.0.2.0/24",), id="a whole block is one prefix"),
        pytest.param("2001:db8::1-2001:db8::2", ("2001:db8::1/128", "2001:db8::2/128"), id="IPv6"),
        pytest.param("2001:DB8::/64", ("2001:db8::/64",), id="text becomes canonical"),
    ],
)  # fmt: skip
def test_pool_entries_become_prefixes(text: str, blocks: tuple[str, ...]) -> None:
    """A CIDR block or a range is the fewest prefixes that hold it."""
    assert scalar.parse_blocks(text) == blocks


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("192.300.0.0/24", id="a number above 255"),
        pytest.param("192.0.2.0/33", id="a length above 32"),
        pytest.param("192.0.2.10-192.0.2.1", id="a range that runs backwards"),
        pytest.param("192.0.2.1-2001:db8::1", id="a range between families"),
        pytest.param(" 192.0.2.0/24", id="a blank before a block"),
        pytest.param("192.0.2.1", id="an address without a length"),
        pytest.param("192.0.2.1-", id="a range without an end"),
        pytest.param("fe80::%eth0/64", id="a zone"),
    ],
)
def test_other_pool_entries_are_refused(text: str) -> None:
    """What is neither a block nor a range is refused."""
    with pytest.raises(ValueError, match=r"."):
        scalar.parse_blocks(text)


@calm
@given(st.integers(0, 2**32 - 1), st.integers(0, 5000))
def test_a_range_is_covered_exactly(first: int, more: int) -> None:
    """The cover of a range holds its addresses once, and no other."""
    last = min(first + more, 2**32 - 1)
    text = f"{ipaddress.IPv4Address(first)}-{ipaddress.IPv4Address(last)}"
    networks = [ipaddress.ip_network(block) for block in scalar.parse_blocks(text)]
    covered = [(int(one.network_address), int(one.broadcast_address)) for one in networks]
    assert covered[0][0] == first
    assert covered[-1][1] == last
    assert all(end + 1 == start for (_, end), (start, _) in itertools.pairwise(covered))


@pytest.mark.parametrize("text", ["12345:12345", "0:0", "65535:65535"])
def test_communities_are_read(text: str) -> None:
    """Two numbers of 16 bits are a community."""
    assert scalar.parse_community(text) == text


@pytest.mark.parametrize("text", ["12345", "1:2:3", "65536:1", "a:b", "1:", "-1:2", "1:٣"])
def test_other_communities_are_refused(text: str) -> None:
    """What is not two numbers of 16 bits is refused."""
    with pytest.raises(ValueError, match=r"is not 2 numbers|above 65535"):
        scalar.parse_community(text)


def test_large_communities_have_three_numbers_of_32_bits() -> None:
    """RFC 8092's form is read, and zeros in front go."""
    assert scalar.parse_large_community("1:4294967295:03") == "1:4294967295:3"
    with pytest.raises(ValueError, match="above 4294967295"):
        scalar.parse_large_community("1:4294967296:3")


@pytest.mark.parametrize("text", ["0.0.0.0", "224.0.0.1", "::", "ff02::1", "fe80::1%eth0", "x"])
def test_an_address_that_no_host_has_is_refused(text: str) -> None:
    """A session needs the address of a host at both ends."""
    with pytest.raises(ValueError, match=r"."):
        scalar.parse_plain_address(text)


@calm
@given(st.text(max_size=40))
def test_any_text_is_a_value_or_a_value_error(text: str) -> None:
    """No parser fails in another way, and blocks that are accepted are canonical."""
    parsers = (scalar.parse_seconds, scalar.parse_community, scalar.parse_large_community,
               scalar.parse_plain_address, scalar.parse_password, scalar.parse_path,
               scalar.parse_url, scalar.parse_bfd_key)  # fmt: skip
    for parse in parsers:
        try:
            parse(text)
        except ValueError:
            continue
    try:
        blocks = scalar.parse_blocks(text)
    except ValueError:
        return
    assert all(str(ipaddress.ip_network(block)) == block for block in blocks)


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:10248/healthz",
        "https://[::1]:1/a?b",
        "http://localhost",
        "http://192.0.2.1:65535",
    ],
)
def test_a_url_of_an_address_is_read(text: str) -> None:
    """As it is written."""
    assert scalar.parse_url(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "http://node-1/",
        "127.0.0.1:10248",
        "file:///etc/passwd",
        "http://127.0.0.1:65536/",
        "http://127.0.0.1/a b",
        "http://a@127.0.0.1/",
        "http://::1/",
        "http://[127.0.0.1]/",
        "http://127.0.0.1/" + "a" * 1024,
    ],
)
def test_another_url_is_refused(text: str) -> None:
    """A name would have to be looked up, with the node's own health at stake."""
    with pytest.raises(ValueError, match=r"."):
        scalar.parse_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://metadata.example/metadata",
        "https://192.0.2.1:8443/v1?x={site}",
        "http://[2001:db8::1]",
        "http://h",
        f"http://{'n' * 253}/{'p' * 763}",
    ],
)
def test_urls_of_providers_are_taken(text: str) -> None:
    """By name or address, with any path."""
    assert scalar.parse_provider_url(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "metadata.example",
        "ftp://metadata.example/",
        "http://",
        "http:///metadata",
        "http://root@metadata.example/",
        "http://root:key@metadata.example/",
        "http://metadata.example:0/",
        "http://metadata.example:65536/",
        "http://[2001:db8::g]/",
        "http://[::ffff:192.0.2.1]/",
        "http://metadata.example/a b",
        "http://metadata.example/a\n",
        "http://-metadata/",
        f"http://{'n' * 253}/{'p' * 764}",
    ],
)
def test_other_urls_of_providers_are_refused(text: str) -> None:
    """Nothing that urllib would have to guess about, and no secret in the open."""
    with pytest.raises(ValueError):  # noqa: PT011 - the words are ipaddress's own for some
        scalar.parse_provider_url(text)


@pytest.mark.parametrize(
    ("text", "gateway"),
    [
        ("default", "default"),
        ("192.0.2.254", "192.0.2.254"),
        ("2001:DB8::1", "2001:db8::1"),
        ("FE80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_gateways_are_read(text: str, gateway: str) -> None:
    """An address in its short form, its interface as it is, or the word."""
    assert scalar.parse_gateway(text) == gateway


@pytest.mark.parametrize(
    "text", ["Default", "router", "192.0.2.1%eth0", "fe80::1%", "fe80::1%a/b", "0.0.0.0", "ff02::1"]
)
def test_other_gateways_are_refused(text: str) -> None:
    """What no route can have as a next hop."""
    with pytest.raises(ValueError):  # noqa: PT011 - the words are ipaddress's own for some
        scalar.parse_gateway(text)


@given(st.text(max_size=80))
def test_a_site_never_needs_to_be_quoted_in_a_url(text: str) -> None:
    """It stands in the path or the query of one."""
    try:
        found = scalar.parse_site(text)
    except ValueError:
        return
    assert quote(found, safe="") == found
