"""What can be meant by the `--metrics-…` options."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.errors import ConfigError
from bgpd.telemetry.metricsoptions import HostPort, parse, parse_addresses


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        pytest.param("none", (), id="nowhere"),
        pytest.param("127.0.0.1:7180", ("127.0.0.1:7180",), id="an IPv4 address"),
        pytest.param("[2001:DB8::1]:1", ("[2001:db8::1]:1",), id="an IPv6 address, canonical"),
        pytest.param(
            "10.0.0.5:7180, 127.0.0.1:7180",
            ("10.0.0.5:7180", "127.0.0.1:7180"),
            id="one for Prometheus and one for the kubelet",
        ),
        pytest.param("[192.0.2.1]:1", ("192.0.2.1:1",), id="whichever family a node has"),
        pytest.param("[::]:65535", ("[::]:65535",), id="everywhere"),
    ],
)
def test_addresses_are_read(text: str, addresses: tuple[str, ...]) -> None:
    """Addresses of this host with a port, several with commas."""
    assert tuple(str(one) for one in parse_addresses(text)) == addresses


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("7180", id="a port alone"),
        pytest.param(":7180", id="no address"),
        pytest.param("127.0.0.1", id="no port"),
        pytest.param("127.0.0.1:0", id="port 0"),
        pytest.param("127.0.0.1:65536", id="a port too large"),
        pytest.param("127.0.0.1:71 80", id="a blank in the port"),
        pytest.param("127.0.0.1:" + "9" * 5000, id="more digits than a number has"),
        pytest.param("localhost:7180", id="a name, which would have to be looked up"),
        pytest.param("::1:7180", id="IPv6 without brackets"),
        pytest.param("[fe80::1%2]:7180", id="a zone, which another boot gives to another link"),
        pytest.param("127.0.0.1:7180,", id="a comma too many"),
        pytest.param("127.0.0.1:7180,127.0.0.1:7180", id="one address twice"),
    ],
)
def test_what_is_no_address_is_refused_with_what_to_write(text: str) -> None:
    """The option, the value and the legal range are in the sentence."""
    with pytest.raises(ConfigError, match="--metrics-address: ") as caught:
        parse_addresses(text)
    assert "twice" in str(caught.value) or "between 1 and 65535" in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing that a person types raises anything else."""
    try:
        found = parse_addresses(text)
    except ConfigError:
        return
    assert all(parse_addresses(str(one)) == (one,) for one in found)


def test_a_certificate_without_its_key_means_nothing() -> None:
    """Half of it would serve in the clear what was to be encrypted."""
    for cert, key, missing in (("c.pem", "", "--metrics-tls-key"), ("", "k.pem", "tls-cert")):
        with pytest.raises(ConfigError, match=missing):
            parse(address="none", tls_cert=cert, tls_key=key, token_file="")
    both = parse(address="127.0.0.1:1", tls_cert="c.pem", tls_key="k.pem", token_file="t")  # noqa: S106 - a path
    assert both.addresses == (HostPort("127.0.0.1", 1),)
    assert (both.tls_cert is None, both.tls_key is None, both.token_file is None) == (False,) * 3
