"""The entries of a pool are apart, however many there are and however they are written."""

import time

from hypothesis import given
from hypothesis import strategies as st

from bgpd.kube.documents import read
from tests.kube.build import pool, text

Span = tuple[bool, int, int]


def _entry(span: Span) -> str:
    six, first, last = span
    return f"2001:db8::{first:x}-2001:db8::{last:x}" if six else f"10.0.0.{first}-10.0.0.{last}"


@st.composite
def spans(draw: st.DrawFn) -> Span:
    """Draw a short range of either family."""
    first = draw(st.integers(0, 60))
    return draw(st.booleans()), first, draw(st.integers(first, 60))


@given(st.lists(spans(), min_size=1, max_size=8))
def test_an_entry_is_refused_if_an_earlier_one_has_some_of_it(entries: list[Span]) -> None:
    """Exactly those that overlap one that was taken, in the order of the document."""
    taken: list[Span] = []
    refused = []
    for number, (six, first, last) in enumerate(entries):
        if any(one[0] is six and one[1] <= last and one[2] >= first for one in taken):
            refused.append(f"spec.addresses[{number}]")
        else:
            taken.append((six, first, last))
    found = read("f.yaml", text(pool("p", *map(_entry, entries))))
    assert [one.path for one in found.problems] == refused


def test_the_longest_list_of_the_widest_ranges_stalls_nobody() -> None:
    """Each of 200 ranges is 31 prefixes: compared one with one they took minutes."""
    base = "2001:db8:ffff:ffff:ffff:ffff"
    ranges = [f"{base}:{number:x}:1-{base}:{number:x}:fffe" for number in range(200)]
    began = time.monotonic()
    assert read("f.yaml", text(pool("p", *ranges))).problems == ()
    assert time.monotonic() - began < 10
