"""Text is read as Kubernetes reads it, and whatever it is, reading ends with documents or words."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgpd.kube.text import MAX_BYTES, Raw, documents_in

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def yaml(text: str) -> list[Raw]:
    """Return the documents in *text*."""
    return list(documents_in(text.encode(), json=False))


@pytest.mark.parametrize(
    ("text", "content"),
    [
        pytest.param("a: 64512:10", {"a": "64512:10"}, id="a community is not a base-sixty number"),
        pytest.param("a: 2026-11-22T10:00:00Z", {"a": "2026-11-22T10:00:00Z"}, id="a time is text"),
        pytest.param("a: 2026-11-22", {"a": "2026-11-22"}, id="a date is text"),
        pytest.param("a: =", {"a": "="}, id="an equals sign is text"),
        pytest.param("a: 64512", {"a": 64512}, id="a number is a number"),
        pytest.param("a: -1.5", {"a": -1.5}, id="a fraction is a fraction"),
        pytest.param("a: yes", {"a": True}, id="yes is true, as for kubectl"),
        pytest.param("a: ~", {"a": None}, id="a tilde is null"),
        pytest.param("1: a\ntrue: b", {"1": "a", "true": "b"}, id="plain keys become text"),
        pytest.param("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}, id="aliases work"),
        pytest.param("<<: {a: 1}\nb: 2", {"a": 1, "b": 2}, id="merge keys work"),
        pytest.param("<<: {a: 1}\na: 2", {"a": 2}, id="an own key wins over a merged one"),
    ],
)
def test_yaml_means_what_kubectl_means(text: str, content: object) -> None:
    """One document is read without a fault, with Kubernetes' types."""
    assert yaml(text) == [Raw(place="document 1", content=content)]


def test_a_key_that_stands_twice_is_reported_with_its_line() -> None:
    """Only one of the two values could count, so neither is trusted silently."""
    (raw,) = yaml("a: 1\nb: 2\na: 3\n")
    assert raw.faults == ("line 3: the key 'a' stands twice in one map",)


def test_an_unknown_tag_spoils_its_own_document_only() -> None:
    """The documents before and after it are read."""
    before, bad, after = yaml("a: 1\n---\nb: !!python/object:os.system x\n---\nc: 3\n")
    assert (before.content, after.content) == ({"a": 1}, {"c": 3})
    assert bad.error.startswith("line 3 is not YAML: could not determine a constructor")


def test_documents_before_broken_syntax_are_read_and_the_rest_is_one_error() -> None:
    """A cut file still yields what stands whole in front of the cut."""
    first, broken = yaml("a: 1\n---\nb: [1, 2\n")
    assert first.content == {"a": 1}
    assert "is not YAML" in broken.error


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"\xff\xfe\x00", id="not UTF-8"),
        pytest.param(b"a: \x00", id="a NUL"),
        pytest.param(b"&a [*a]", id="a list that contains itself"),
        pytest.param(b"[" * 5000, id="deep nesting"),
        pytest.param(b"{? [a]: b}", id="a list as a key"),
        pytest.param(b"a: " + b"9" * 6000, id="a number beyond Python's limit"),
        pytest.param(b"a: !!timestamp x", id="a tag whose value does not fit"),
        pytest.param(b"a: *nowhere", id="an alias of nothing"),
    ],
)
def test_hostile_yaml_ends_in_words(text: bytes) -> None:
    """Nothing escapes as an exception, and the last document says what is wrong."""
    assert list(documents_in(text, json=False))[-1].error


def test_json_is_read_or_refused_as_a_whole() -> None:
    """A JSON file holds one document."""
    assert next(documents_in(b'{"a": 1}', json=True)) == Raw(place="", content={"a": 1})
    assert next(documents_in(b'{"a": 1', json=True)).error.startswith("is not JSON: ")


def test_a_huge_file_is_refused_without_reading_it() -> None:
    """A file that nobody wrote by hand cannot stall the agent."""
    (raw,) = documents_in(b" " * (MAX_BYTES + 1), json=False)
    assert raw.error == f"is {MAX_BYTES + 1} bytes long; at most {MAX_BYTES} are read"


@calm
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_documents_or_words(text: bytes, json: bool) -> None:
    """Whatever stands in a file, each document has a content or an error, never an exception."""
    for raw in documents_in(text, json=json):
        assert not raw.error or raw.content is None


@calm
@given(st.text(alphabet="ab:-[]{}&*!<>|?'\"# \n0159,~%@", max_size=80))
def test_any_yaml_like_text_is_documents_or_words(text: str) -> None:
    """The same for text that is nearly YAML."""
    for raw in documents_in(text.encode(), json=False):
        assert not raw.error or raw.content is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(b"a:\n\tb: 1", "line 2 is not YAML: .*not with tabs", id="a tab"),
        pytest.param(b"\xa1\xa2", r"invalid leading UTF-8 octet \(byte 0\)", id="no text"),
        pytest.param(b"a: x\x01", r"control characters are not allowed \(byte 4\)", id="control"),
        pytest.param(b"&a [*a]", "an alias .* inside what it stands for", id="a circle"),
        pytest.param(b"[" * 20000 + b"]" * 20000, "nested too deeply", id="deep nesting"),
    ],
)
def test_the_commonest_mistakes_are_told_in_plain_words(text: bytes, words: str) -> None:
    """Not in the parser's, which speak of tokens, nodes and its own recursion."""
    assert re.search(words, list(documents_in(text, json=False))[-1].error)
