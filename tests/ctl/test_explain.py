"""`bgpctl explain`: what is asked for is found by every name that people use."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpd.ctl.explain import explain, report
from bgpd.ctl.view import View
from bgpd.ipc.message import Answer
from tests.ctl.fakes import Result, bgpctl, serving
from tests.ctl.samples import DRAINED, FINE, NOW, SICK, WATCHED
from tests.ctl.test_table import views


def told(view: View, what: str = "") -> str:
    """Return what is told of *what*, on one line each."""
    return report(explain(view, what, now=NOW)).replace("\n  ", " ")


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        pytest.param("203.0.113.9/32", "advertised to tor-a, tor-b at rank 255", id="a prefix"),
        pytest.param("203.0.113.9", "no other live, undrained node carries it", id="an address"),
        pytest.param("shop/cart", "advertised to tor-a, tor-b at rank 255", id="a Service"),
        pytest.param("cart", "10.244.1.7:8080 answered 503 (41 of 1200 failed)", id="by name"),
        pytest.param("cart-answers", "HealthCheck shop/cart-answers of shop/cart", id="a check"),
        pytest.param("default/dns", "not advertised: NoLocalEndpoints", id="what is withheld"),
        pytest.param("tor-b", "BFD tor-b: Down; last error: the router was silent", id="a peer"),
        pytest.param("169.254.255.2", "session tor-b", id="a peer's address"),
        pytest.param("N2", "member n2: Alive", id="a member, in any case"),
    ],
)
def test_a_thing_is_found_by_its_names(what: str, expected: str) -> None:
    """People leave out lengths and namespaces."""
    assert expected in told(DRAINED, what)


def test_an_address_tells_of_its_service_and_the_other_way_round() -> None:
    """A probe is known by its Service; whoever asks for the address wants to hear of it."""
    assert "HealthCheck shop/cart-answers" in told(DRAINED, "203.0.113.9")
    assert "203.0.113.9/32 (shop/cart" in told(DRAINED, "cart")
    assert "default/web" not in told(DRAINED, "cart")


def test_without_a_name_only_trouble_is_told() -> None:
    """A node that is well has one fact to tell: what it withholds for an ordinary reason."""
    assert "tor-a" not in told(FINE)
    assert "member n3: Dead" in told(SICK)
    assert "at rank" not in told(SICK)


def test_packets_that_were_refused_are_counted_by_cause() -> None:
    """Somebody sends with a wrong key: that is seen here, and not only in a counter."""
    speaker = DRAINED.speaker
    assert speaker is not None
    first, *rest = speaker.sessions
    bfd = replace(WATCHED, counters={"bad_authentication": 7, "wrong_ttl": 0})
    view = replace(DRAINED, speaker=replace(speaker, sessions=(replace(first, bfd=bfd), *rest)))
    assert "counted: bad_authentication 7" in told(view, "tor-a")


def test_a_thing_that_nobody_knows_ends_with_1(tmp_path: Path) -> None:
    """And a thing that is known with 0, also for programs."""

    async def story(*words: str) -> Result:
        agent = {"status": Answer(content=DRAINED.agent)}
        async with serving(
            tmp_path, agent=agent, speaker={"status": Answer(content=DRAINED.speaker)}
        ):
            return await bgpctl("explain", *words, "--run-dir", str(tmp_path))

    nothing = asyncio.run(story("198.51.100.9"))
    assert (nothing.status, nothing.output) == (1, "")
    assert "nothing is known of 198.51.100.9" in nothing.errors
    found = asyncio.run(story("cart", "-o", "json"))
    assert found.status == 0
    assert {one["about"] for one in json.loads(found.output)["items"]} >= {
        "HealthCheck shop/cart-answers of shop/cart"
    }
    assert asyncio.run(story()).status == 0


@settings(deadline=None, max_examples=50)
@given(views, st.text(max_size=20))
def test_whatever_is_asked_is_answered_within_a_terminal(view: View, what: str) -> None:
    """No name and no message breaks it."""
    for line in report(explain(view, what, now=NOW)).splitlines():
        assert line.isprintable()
        assert len(line) <= 80
