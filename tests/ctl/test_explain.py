"""`bgpctl explain`: what is asked for is found by every name that people use."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpd.ctl.explain import explain, report
from bgpd.ctl.explainask import Node
from bgpd.ctl.explainrun import Look, here
from bgpd.ctl.explainshown import Shown
from bgpd.ctl.fleet import fleet_of
from bgpd.ctl.view import View
from bgpd.ipc.message import Answer
from bgpd.model.grounds import PeerRoute, SpeakerRoutes
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import Attributes
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


def test_a_calm_node_says_that_it_is_calm(tmp_path: Path) -> None:
    """Silence could as well mean that nobody was asked."""
    assert FINE.agent is not None
    calm = replace(FINE.agent, withheld=())

    async def story() -> Result:
        speaker = {"status": Answer(content=FINE.speaker)}
        agent = {"status": Answer(content=calm)}
        async with serving(tmp_path, agent=agent, speaker=speaker):
            return await bgpctl("explain", "--run-dir", str(tmp_path))

    result = asyncio.run(story())
    assert (result.status, result.errors) == (0, "")
    assert result.output == "nothing to explain: on n1 all is as it should be\n"


def test_what_is_wrong_with_a_session_is_told_once() -> None:
    """The sentence of a router that says no is long enough."""
    lines = told(SICK, "tor-b").splitlines()
    assert [line for line in lines if line.startswith("node: session tor-b")] == []
    assert len([line for line in lines if line.startswith("session tor-b")]) == 1


def test_a_session_that_is_back_has_nothing_that_keeps_it_away() -> None:
    """Why the one before it ended is told, and no longer what hindered it then."""
    speaker = FINE.speaker
    assert speaker is not None
    first, *rest = speaker.sessions
    ended = replace(first, last_error="the router reset it; since then it refuses connections")
    view = replace(FINE, speaker=replace(speaker, sessions=(ended, *rest)))
    assert told(view, "tor-a").rstrip().endswith("; it had ended before: the router reset it")


def test_packets_that_were_refused_are_counted_by_cause() -> None:
    """Somebody sends with a wrong key: that is seen here, and not only in a counter."""
    speaker = DRAINED.speaker
    assert speaker is not None
    first, *rest = speaker.sessions
    bfd = replace(WATCHED, counters={"bad_authentication": 7, "wrong_ttl": 0})
    view = replace(DRAINED, speaker=replace(speaker, sessions=(replace(first, bfd=bfd), *rest)))
    assert "counted: bad_authentication 7" in told(view, "tor-a")


@pytest.mark.parametrize("words", [(), ("web",), ("203.0.113.9",), ("node",)], ids=" ".join)
def test_where_nobody_answers_try_again(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Exit status 75: nothing is fine, unknown or dangerous; nobody was there to say."""
    result = asyncio.run(bgpctl("explain", *words, "--run-dir", str(tmp_path)))
    assert result.status == 75
    assert "does not answer" in " ".join(result.output.split())


def test_the_node_at_hand_needs_no_api_where_it_is_named(tmp_path: Path) -> None:
    """`--node n1` on n1 while the API is dead: it answers itself, and knows more."""

    async def story() -> Result:
        agent = {"status": Answer(content=DRAINED.agent)}
        async with serving(
            tmp_path, agent=agent, speaker={"status": Answer(content=DRAINED.speaker)}
        ):
            words = ("explain", "cart", "--node", "n1", "--run-dir", str(tmp_path))
            return await bgpctl(*words, KUBECONFIG=str(tmp_path / "none"))

    result = asyncio.run(story())
    assert result.status == 0
    assert "HealthCheck shop/cart-answers of shop/cart" in " ".join(result.output.split())


def test_a_peer_that_there_is_not_is_named(tmp_path: Path) -> None:
    """As `diff` says it: a chain towards nobody would look as if all were well."""

    async def story() -> Result:
        agent = {"status": Answer(content=DRAINED.agent)}
        async with serving(
            tmp_path, agent=agent, speaker={"status": Answer(content=DRAINED.speaker)}
        ):
            return await bgpctl("explain", "cart", "--peer", "x", "--run-dir", str(tmp_path))

    result = asyncio.run(story())
    assert (result.status, result.output) == (78, "")
    assert "there is no session with x on node n1; there are tor-a, tor-b" in result.errors


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


PEERS = (PeerName("tor-a"), PeerName("tor-b"))
CLUSTER_SERVICE = {
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "default"},
    "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.10"}]}},
}


def told_to(peer: PeerName) -> PeerRoute:
    """Return what the speaker told *peer* of the Service's address."""
    told = Attributes(next_hop=Address("10.0.0.1"), med=2**31 - 256 * 7)
    return PeerRoute(peer=peer, prefix=Prefix("203.0.113.10/32"), told=told)


def without_agent(directory: Path, what: str, look: Look) -> Shown:
    """Return what is shown of *what* where only the speaker answers."""

    async def story() -> Shown:
        speaker = {
            "status": Answer(content=FINE.speaker),
            "routes": Answer(content=SpeakerRoutes(node="n1", routes=tuple(map(told_to, PEERS)))),
        }
        async with serving(directory, speaker=speaker):
            node = Node(directory, timeout=5.0)
            return await asyncio.to_thread(here, node, what, peer="", now=NOW, look=look)

    return asyncio.run(story())


def test_without_its_agent_a_node_explains_what_its_speaker_knows(tmp_path: Path) -> None:
    """The gates of the speaker, and that the agent had let it pass."""
    shown = without_agent(tmp_path, "203.0.113.10", lambda: "no cluster")
    assert "203.0.113.10/32 on n1: advertised to tor-a, tor-b" in shown.text
    assert "not known: what the agent decides now" in shown.text
    assert "MED 2147481856 (generation 7, rank 0)" in shown.text


def test_a_service_is_found_by_the_cluster_where_the_agent_is_dead(tmp_path: Path) -> None:
    """A speaker knows prefixes alone; the API has the Service's addresses."""
    shown = without_agent(tmp_path, "web", lambda: fleet_of([CLUSTER_SERVICE]))
    assert "default/web 203.0.113.10/32 on n1: advertised to tor-a, tor-b" in shown.text


def test_with_agent_and_cluster_away_a_person_hears_what_to_ask(tmp_path: Path) -> None:
    """Not that the Service is unknown: that nobody who knows Services answers."""
    shown = without_agent(tmp_path, "web", lambda: "no cluster")
    assert not shown.known
    assert "only the agent knows Services" in shown.text
    assert "ask for the address" in shown.text.replace("\n  ", " ")
