"""Facts about the lists: what is in them, that they fit a terminal, and that their schemas hold."""

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpd.ctl import listing
from bgpd.ctl.columns import WIDTH
from bgpd.ctl.describe import describe, words_of
from bgpd.ctl.document import dump
from bgpd.ctl.fleet import NodeSeen
from bgpd.ctl.items import Stand
from bgpd.ctl.listcolumns import Shape
from bgpd.ctl.listdocument import item_document, list_document
from bgpd.ctl.resource import NOUNS, Noun, UnknownNounError, named, noun_of
from bgpd.ctl.scene import Place, Scene
from bgpd.ctl.view import View
from bgpd.model.grounds import PeerRoute, SpeakerRoutes
from bgpd.model.health import Health
from bgpd.model.inventory import CheckDocument, Inventory, PeerDocument, PoolUse
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.route import Advertisement, Attributes
from tests.ctl.conforming import faults
from tests.ctl.samples import (
    AGENT_DEAD,
    CUT_OFF,
    DRAINED,
    FINE,
    ILL,
    NODE,
    NOW,
    SICK,
    SPEAKER,
    SPEAKER_DEAD,
)
from tests.ctl.test_table import addresses, names, prefixes, texts, views
from tests.ctl.test_table import calm as usual

INVENTORY = Inventory(
    pools=(
        PoolUse(
            name="small",
            prefixes=(Prefix("203.0.113.0/30"),),
            total_ipv4=4,
            used_ipv4=3,
            services=4,
        ),
        PoolUse(name="refused", prefixes=(Prefix("203.0.113.0/31"),), in_force=False),
    ),
    peers=(
        PeerDocument(name=PeerName("rack-2"), selected=False, in_force=False),
        PeerDocument(name=PeerName("refused"), selected=True, in_force=False),
        PeerDocument(name=PeerName("tor-a"), selected=True, in_force=True, peer_asn=65530),
    ),
    checks=(
        CheckDocument(name="shop/cart-answers", probe="httpGet"),
        CheckDocument(name="shop/idle", probe="dns"),
    ),
)


SEEN_GONE = NodeSeen(name="n1", view=FINE, doubts=("its speaker is Dead, say n2, n3",), gone=True)


def near(view: View, **more: Any) -> Scene:
    """Return what is seen of one node."""
    return Scene(places=(Place(node=view.node, view=view),), **more)


def both(one: View, other: View) -> Scene:
    """Return two nodes, seen through the API."""
    return Scene(
        places=(Place(node="n1", view=one), Place(node="n2", view=other)),
        whole=True,
    )


def table(noun: str, scene: Scene, **shape: bool) -> str:
    """Return a list as people see it."""
    asked = noun_of(noun)
    return asked.table(asked.items(scene), now=NOW, shape=Shape(**{"whole": scene.whole, **shape}))


def test_an_elastic_ip_says_who_carries_it_and_why_others_do_not() -> None:
    """The best rank first; a node that keeps it back says why."""
    other = View(
        agent=replace(
            NODE,
            node="n2",
            withheld=(
                Withheld(
                    service="default/web",
                    prefix=Prefix("203.0.113.10/32"),
                    reason=Reason.NO_LOCAL_ENDPOINTS,
                    message="none is here",
                ),
            ),
        ),
        speaker=replace(SPEAKER, node="n2", routes=SPEAKER.routes[:1]),
    )
    found = {one.name: one for one in listing.elastic_ips(both(FINE, other))}
    assert [one.node for one in found["203.0.113.9"].carriers] == ["n1", "n2"]
    assert [one.node for one in found["203.0.113.10"].carriers] == ["n1"]
    assert [(one.node, one.reason) for one in found["203.0.113.10"].withheld] == [
        ("n2", Reason.NO_LOCAL_ENDPOINTS)
    ]
    assert found["203.0.113.10"].services == ("default/web",)


@pytest.mark.parametrize(
    ("view", "name", "state"),
    [
        pytest.param(FINE, "203.0.113.9", Stand.ADVERTISED, id="a router hears it"),
        pytest.param(CUT_OFF, "203.0.113.9", Stand.UNSENT, id="no session carries it"),
        pytest.param(FINE, "203.0.113.44", Stand.WITHHELD, id="it is kept back"),
    ],
)
def test_an_elastic_ip_stands_in_one_word(view: View, name: str, state: Stand) -> None:
    """Wanted and heard are two things."""
    found = {one.name: one.state for one in listing.elastic_ips(near(view))}
    assert found[name] is state


def test_without_the_agent_the_services_are_unknown_and_not_none() -> None:
    """The speaker knows prefixes, and not whose they are."""
    assert {one.services for one in listing.elastic_ips(near(AGENT_DEAD))} == {None}
    assert "<unknown>" in table("elasticips", near(AGENT_DEAD))


def test_a_route_has_the_attributes_that_exabgp_was_told() -> None:
    """From the speaker itself; who asks through the API hears only who has it."""
    prefix, peer = Prefix("203.0.113.9/32"), PeerName("tor-a")
    wanted = Advertisement(peer=peer, prefix=prefix)
    told = SpeakerRoutes(
        node="n1",
        routes=(
            PeerRoute(
                peer=peer,
                prefix=prefix,
                wanted=wanted,
                told=Attributes(next_hop=Address("10.0.0.1"), med=7, communities=("65535:0",)),
            ),
            PeerRoute(peer=PeerName("tor-b"), prefix=prefix, wanted=wanted, refused=True),
        ),
        established=(peer,),
    )
    found = listing.routes(near(FINE, routes=told))
    assert [(one.peer, one.state, one.rank) for one in found] == [
        ("tor-a", Stand.ADVERTISED, 100),
        ("tor-b", Stand.WITHHELD, 0),
    ]
    assert found[1].message == "ExaBGP does not take it"
    assert "65535:0" in table("routes", near(FINE, routes=told), wide=True)
    assert [one.attributes for one in listing.routes(near(FINE))] == [None] * 5


def test_a_route_names_the_services_that_the_agent_knows() -> None:
    """The speaker itself knows none, which is no reason to say that there are none."""
    assert FINE.agent is not None
    assert FINE.speaker is not None
    plain = tuple(replace(one, services=()) for one in FINE.speaker.routes)
    prefix = plain[0].prefix
    view = View(
        agent=replace(FINE.agent, services={prefix: ("shop/web",)}),
        speaker=replace(FINE.speaker, routes=plain),
    )
    found = {one.name: one.services for one in listing.routes(near(view))}
    assert found[prefix] == ("shop/web",)


@pytest.mark.parametrize(
    ("name", "fate"),
    [
        pytest.param("rack-2", "NotSelected", id="its selectors choose other nodes"),
        pytest.param("refused", "Refused", id="it cannot hold"),
        pytest.param("tor-a", "Established", id="it has a session"),
        pytest.param("tor-b", "Established", id="it has one, and nobody told of a document"),
    ],
)
def test_a_peer_says_what_came_of_it(name: str, fate: str) -> None:
    """A BGPPeer without a session here is there all the same."""
    lines = table("peers", near(FINE, inventory=INVENTORY)).splitlines()
    assert next(line.split()[-1] for line in lines if line.startswith(f"{name} ")) == fate


def test_a_node_lists_itself_and_whom_it_hears() -> None:
    """It judges itself; of the others it knows what their heartbeats say."""
    found = {one.name: one for one in listing.nodes(near(SICK))}
    assert found["n1"].state == "degraded"
    assert {name: str(one.heard) for name, one in found.items() if one.heard} == {
        "n2": "Suspect",
        "n3": "Dead",
        "n4": "Unheard",
        "n5": "Alive",
    }
    assert found["n5"].problems == ("its agent is silent",)
    assert found["n5"].sessions is None


def test_a_health_check_that_chooses_nothing_is_listed() -> None:
    """A typing error in a selector is seen by whoever looks for the check."""
    view = replace(FINE, agent=replace(NODE, health=ILL))
    found = listing.health_checks(near(view, inventory=INVENTORY))
    assert [(one.name, one.service, one.health) for one in found] == [
        ("default/web", "default/web", Health.HEALTHY),
        ("shop/cart-answers", "shop/cart", Health.UNHEALTHY),
        ("shop/idle", "", Health.UNKNOWN),
    ]


def test_a_pool_says_how_full_it_is() -> None:
    """Of its addresses, those that Services have; one that does not hold says that instead."""
    lines = table("pools", near(FINE, inventory=INVENTORY)).splitlines()
    assert lines[1].split()[-2:] == ["75%", "yes"]
    assert lines[2].split()[-2:] == ["refused", "yes"]


def test_namespaces_have_a_column_where_they_are_asked_for() -> None:
    """Names stand without theirs then, as kubectl has it."""
    view = replace(FINE, agent=replace(NODE, health=ILL))
    text = table("healthchecks", near(view, inventory=INVENTORY), spaced=True)
    assert text.splitlines()[2].split()[:2] == ["shop", "cart-answers"]


def test_rows_alone_have_no_header() -> None:
    """What a script cuts into fields begins with the first item."""
    whole = table("sessions", near(FINE))
    assert table("sessions", near(FINE), headers=False) == whole.partition("\n")[2]


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.plural)
def test_name_comes_first_and_age_last(noun: Noun) -> None:
    """The headers are words without blanks."""
    headers = [one.header for one in noun.columns]
    assert "NAME" in headers[:2]
    assert "AGE" not in headers[:-1]
    assert not any(" " in header for header in headers)


@pytest.mark.parametrize(
    ("word", "plural"),
    [
        pytest.param("session", "sessions", id="singular"),
        pytest.param("Sessions", "sessions", id="with a capital"),
        pytest.param("elasticips", "elasticips", id="plural"),
    ],
)
def test_a_noun_may_be_said_in_singular_and_plural(word: str, plural: str) -> None:
    """And in any case."""
    assert noun_of(word).plural == plural


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        pytest.param("sesions", "did you mean `sessions`?", id="a typing error"),
        pytest.param("pods", "did you mean `pools`?", id="another tool's word"),
        pytest.param("xyz", "there are elasticips, peers", id="nothing like it"),
    ],
)
def test_a_noun_that_there_is_not_has_a_hint(word: str, hint: str) -> None:
    """The nearest one, or all of them."""
    with pytest.raises(UnknownNounError, match=hint.replace("?", r"\?")):
        noun_of(word)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        pytest.param("203.0.113.9", ["203.0.113.9"], id="the address"),
        pytest.param("203.0.113.9/32", ["203.0.113.9"], id="the prefix"),
        pytest.param("203.0.113.0/24", [], id="a block that it is part of"),
        pytest.param("2001:DB8:0::7", ["2001:db8::7"], id="another form of an IPv6 address"),
        pytest.param("2001:DB8:0::7/128", ["2001:db8::7"], id="another form of its prefix"),
    ],
)
def test_an_elastic_ip_is_found_by_its_address(name: str, found: list[str]) -> None:
    """With its length or without."""
    chosen, missing = named(listing.elastic_ips(near(FINE)), [name])
    assert [one.name for one in chosen] == found
    assert missing == (() if found else (name,))


def test_a_health_check_is_found_without_its_namespace() -> None:
    """What a person has in mind is often half of the name."""
    view = replace(FINE, agent=replace(NODE, health=ILL))
    every = listing.health_checks(near(view, inventory=INVENTORY))
    assert [one.name for one in named(every, ["cart-answers"])[0]] == ["shop/cart-answers"]


calm = settings(usual, max_examples=20)
inventories = st.builds(
    Inventory,
    pools=st.lists(
        st.builds(
            PoolUse,
            name=names,
            prefixes=st.lists(prefixes, max_size=4).map(tuple),
            total_ipv4=st.integers(0, 2**32),
            total_ipv6=st.integers(0, 2**62),
            used_ipv4=st.integers(0, 100_000),
            used_ipv6=st.integers(0, 100_000),
        ),
        max_size=2,
    ).map(tuple),
    peers=st.lists(
        st.builds(
            PeerDocument,
            name=names.map(PeerName),
            selected=st.booleans(),
            in_force=st.booleans(),
            address=st.none() | addresses,
            peer_asn=st.none() | st.integers(1, 2**32 - 1),
        ),
        max_size=2,
    ).map(tuple),
    checks=st.lists(
        st.builds(
            CheckDocument, name=st.builds("{}/{}".format, names, names), probe=st.just("dns")
        ),
        max_size=2,
    ).map(tuple),
)
told = st.builds(
    SpeakerRoutes,
    node=names,
    routes=st.lists(
        st.builds(
            PeerRoute,
            peer=names.map(PeerName),
            prefix=prefixes,
            told=st.none()
            | st.builds(
                Attributes,
                next_hop=addresses,
                med=st.none() | st.integers(0, 2**32 - 1),
                local_pref=st.none() | st.integers(0, 2**32 - 1),
            ),
            withheld=st.none()
            | st.builds(
                Withheld,
                service=names,
                prefix=st.none(),
                reason=st.sampled_from(Reason),
                message=texts,
            ),
        ),
        max_size=3,
    ).map(tuple),
)
scenes = st.builds(
    Scene,
    places=st.lists(st.builds(Place, node=names, view=views), min_size=1, max_size=3).map(tuple),
    inventory=st.none() | inventories,
    routes=st.none() | told,
    whole=st.booleans(),
)


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.plural)
@given(scene=scenes, spaced=st.booleans())
@calm
def test_no_list_is_wider_than_a_terminal_or_drives_it(
    noun: Noun, scene: Scene, *, spaced: bool
) -> None:
    """However long names are, and whatever routers say."""
    text = noun.table(noun.items(scene), now=NOW, shape=Shape(whole=scene.whole, spaced=spaced))
    assert all(len(line) <= WIDTH for line in text.split("\n"))
    assert all(letter.isprintable() or letter == "\n" for letter in text)


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.plural)
@given(scene=scenes)
@calm
def test_every_list_and_item_is_as_its_schema_says(noun: Noun, scene: Scene) -> None:
    """No field is missing, none is too many, and both forms hold the same."""
    found = noun.items(scene)
    whole = list_document(noun.kind, found)
    assert faults(json.loads(dump(whole, "json"))) == []
    assert yaml.safe_load(dump(whole, "yaml")) == json.loads(dump(whole, "json"))
    for one in found[:2]:
        assert faults(json.loads(dump(item_document(noun.kind, one), "json"))) == []


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.plural)
@given(scene=scenes)
@calm
def test_a_description_has_every_field_and_fits_a_terminal(noun: Noun, scene: Scene) -> None:
    """It is made from the document, so that no field can be forgotten."""
    for one in noun.items(scene)[:2]:
        document = json.loads(dump(item_document(noun.kind, one), "json"))
        text = describe(document, now=NOW)
        assert all(f"{words_of(name)}:" in text for name in document if name != "apiVersion")
        assert all(len(line) <= WIDTH for line in text.split("\n"))
        assert all(letter.isprintable() or letter == "\n" for letter in text)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("peerRouterId", "Peer router ID", id="an abbreviation"),
        pytest.param("maxPrefixes", "Max prefixes", id="two words"),
        pytest.param("totalIpv4", "Total IPv4", id="a family"),
        pytest.param("name", "Name", id="one word"),
    ],
)
def test_a_field_is_named_as_people_say_it(name: str, words: str) -> None:
    """The same word as in the document, without its humps."""
    assert words_of(name) == words


@pytest.mark.parametrize("view", [FINE, SICK, DRAINED, SPEAKER_DEAD, AGENT_DEAD], ids=range(5))
def test_lists_are_in_a_stable_order(view: View) -> None:
    """Whatever order a node tells things in."""
    scene = near(view, inventory=INVENTORY)
    speaker = view.speaker
    turned = scene
    if speaker is not None:
        backwards = replace(speaker, sessions=speaker.sessions[::-1], routes=speaker.routes[::-1])
        turned = near(replace(view, speaker=backwards), inventory=INVENTORY)
    for noun in NOUNS:
        assert noun.items(turned) == noun.items(scene)
