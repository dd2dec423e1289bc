"""Bodies that are no documents, and values that are what they look like or are refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.errors import ConfigError
from bgpd.model.prefix import Family
from bgpd.provider.reading import Field, decode, root


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param(b"", "it is empty; it must be JSON", id="nothing"),
        pytest.param(b" \n", "it is empty; it must be JSON", id="an empty line"),
        pytest.param(
            b"<html><body>404 Not Found</body></html>", "it is HTML or XML", id="a page of a proxy"
        ),
        pytest.param(b'{"bgp_neighbors": [{"peer', "or cut off (line 1, column", id="half of it"),
        pytest.param(b"\xff\xfe{}", "it is not text in UTF-8 (byte 0)", id="other bytes"),
        pytest.param(b"[" * 100_000, "it holds what nobody can mean", id="lists without end"),
        pytest.param(b"9" * 10_000, "it holds what nobody can mean", id="an endless number"),
        pytest.param(b"ok", "or cut off (line 1, column 1)", id="a word"),
    ],
)
def test_what_is_no_document_is_called_what_it_is(body: bytes, sentence: str) -> None:
    """A person learns what answered in place of the document."""
    with pytest.raises(ConfigError, match=r"^the document: ") as caught:
        decode(body)
    assert sentence in str(caught.value)


@given(st.binary())
def test_any_bytes_are_a_document_or_one_sentence(body: bytes) -> None:
    """Nothing that a network can deliver raises anything else."""
    try:
        decode(body)
    except ConfigError as error:
        assert "\n" not in str(error)  # noqa: PT017 - most bytes raise, and some may not


def test_a_document_is_what_json_says() -> None:
    """Nothing is lost or added."""
    assert decode(json.dumps({"a": [1, "b", None, True]}).encode()) == {"a": [1, "b", None, True]}


@pytest.mark.parametrize(
    "errors", [["Not found"], [{"code": 5}], "Not found", {"detail": "no"}], ids=repr
)
def test_the_errors_of_an_api_are_no_document(errors: object) -> None:
    """An API says 200 and means 404: that is not an empty document."""
    with pytest.raises(ConfigError, match="an error of the provider's"):
        root({"errors": errors, "bgp_neighbors": []})


def test_a_list_of_no_errors_is_none() -> None:
    """Some APIs have the list in each answer."""
    assert root({"errors": []}).present


@pytest.mark.parametrize("value", [65000, "65000", " 65000".strip()], ids=repr)
def test_a_number_may_be_text(value: object) -> None:
    """Vultr writes ASNs as text, others as numbers."""
    assert Field("asn", value).asn() == 65000


@pytest.mark.parametrize(
    "value", [True, 1.0, "1e3", "²", "0x10", "-1", "", " 1", 0, 2**32, "9" * 5000, None], ids=str
)
def test_what_is_no_whole_number_in_range_is_refused(value: object) -> None:
    """Neither a boolean, nor digits of another script, nor zero."""
    with pytest.raises(ConfigError, match=r"^asn.*must be a whole number, 1\.\.4294967295$"):
        Field("asn", value).asn()


def test_an_address_is_made_canonical() -> None:
    """Metadata writes IPv6 addresses in full; two texts for one router would be two sessions."""
    field = Field("peer", "fc00:0000:0000:0000:0000:0000:0000:000e")
    assert field.address(Family.IPV6) == "fc00::e"


@pytest.mark.parametrize(
    "value",
    ["fe80::1%eth0", "::ffff:192.0.2.1", "0.0.0.0", "224.0.0.5", "::", "10.0.0.1/32", "router", 5],
    ids=str,
)
def test_what_no_session_can_be_had_with_is_no_address(value: object) -> None:
    """A zone, a mapped address, all of a network, a group."""
    with pytest.raises(ConfigError, match=r"^peer: .* must be an IPv4 or IPv6 address"):
        Field("peer", value).address()


def test_an_address_of_the_other_family_is_refused() -> None:
    """IPv4 where IPv6 is announced is a mistake of the document."""
    with pytest.raises(ConfigError, match=r"^peer: '10\.0\.0\.1' must be an IPv6 address$"):
        Field("peer", "10.0.0.1").address(Family.IPV6)


@pytest.mark.parametrize(
    "value", ["", "x" * 81, "kéy-of-mine", "two\nlines", 5, ["key-of-mine"]], ids=repr
)
def test_a_bad_password_is_refused_without_being_shown(value: object) -> None:
    """What is wrong with a password may be the password of something else."""
    with pytest.raises(ConfigError) as caught:
        Field("md5_password", value).password()
    assert str(caught.value) == (
        "md5_password: a secret that is not shown must be 1..80 printable ASCII characters"
    )


def test_a_password_in_base64_is_read_and_a_bad_one_is_not_shown() -> None:
    """Cloud controllers write it so; kube-vip reads it so."""
    assert Field("bgp-pass", "cGFzc3dvcmQ=\n").password(encoded=True) == "password"
    for bad in ("not base64!", "/w==", "cGFz\tc3dvcmQ"):
        with pytest.raises(ConfigError, match=r"not shown must be .* in base64$"):
            Field("bgp-pass", bad).password(encoded=True)


def test_containers_are_not_quoted() -> None:
    """A list in the wrong place may hold a password deep inside."""
    for value in ({"md5_password": "hidden"}, ["hidden"], [{"a": "hidden"}]):
        with pytest.raises(ConfigError) as caught:
            Field("peer_as", value).asn()
        assert "hidden" not in str(caught.value)


def test_a_long_text_is_cut() -> None:
    """A condition is a line, not a page."""
    with pytest.raises(ConfigError) as caught:
        Field("peer_as", "x" * 10_000).asn()
    assert len(str(caught.value)) < 200


def test_a_flag_may_be_text_or_absent() -> None:
    """Annotations know no booleans."""
    assert Field("multihop", "TRUE").flag(default=False)
    assert not Field("multihop", "false").flag(default=True)
    assert Field("multihop", "").flag(default=True)
    with pytest.raises(ConfigError, match=r"^multihop: 'yes' must be true or false$"):
        Field("multihop", "yes").flag(default=True)


def test_a_prefix_loses_the_bits_of_hosts() -> None:
    """What a router accepts is a prefix, however it is written."""
    assert Field("route", "10.1.2.3/24").prefix() == "10.1.2.0/24"
    for bad in ("10.0.0.0/33", "10.0.0.0-10.0.0.9", "fe80::%1/64", 7):
        with pytest.raises(ConfigError, match=r"^route: .* must be a prefix"):
            Field("route", bad).prefix()
