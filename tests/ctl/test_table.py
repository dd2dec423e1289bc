"""Facts about the screens: every one of them, to the letter, and none wider than a terminal."""

import json
from dataclasses import replace

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgpd.ctl.columns import columns, duration, printable, wrapped
from bgpd.ctl.document import dump, status_document, timeline_document
from bgpd.ctl.table import status_table
from bgpd.ctl.timelinetable import timeline_table
from bgpd.ctl.view import View, arranged
from bgpd.model.peer import Lever, PeerName, PeerState
from bgpd.model.prefix import Address, Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.status import (
    Condition,
    MemberState,
    MemberStatus,
    MeshStatus,
    NodeStatus,
    RouteStatus,
    SessionStatus,
    SpeakerStatus,
)
from bgpd.model.timeline import Failover, Step
from tests.ctl.samples import FINE, GOLDEN, NOW, SCREENS, SICK

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)

names = st.text(min_size=1, max_size=63)
texts = st.text(max_size=200)
addresses = st.ip_addresses().map(lambda address: Address(str(address)))
prefixes = st.ip_addresses().map(
    lambda address: Prefix(f"{address}/{32 if address.version == 4 else 128}")
)
moments = st.floats(0, 1e10)
sessions = st.builds(
    SessionStatus,
    peer=names.map(PeerName),
    address=addresses,
    peer_asn=st.integers(1, 2**32 - 1),
    local_asn=st.integers(1, 2**32 - 1),
    state=st.sampled_from(PeerState),
    since=st.none() | moments,
    hold_time=st.none() | st.integers(0, 65535),
    peer_router_id=st.none() | addresses,
    lever=st.sampled_from(Lever),
    advertised=st.integers(0, 99_999),
    max_prefixes=st.none() | st.integers(1, 99_999),
    last_error=texts,
)
members = st.builds(
    MemberStatus,
    name=names,
    address=addresses,
    state=st.sampled_from(MemberState),
    last_heard_milliseconds=st.none() | st.floats(0, 1e10),
    loss_percent=st.floats(0, 100),
    generation=st.none() | st.integers(0, 2**23),
)
conditions = st.builds(Condition, type=names, status=st.booleans(), reason=names, message=texts)
withheld = st.builds(
    Withheld,
    service=names | st.just(""),
    prefix=st.none() | prefixes,
    reason=st.sampled_from(Reason),
    message=texts,
    peer=st.none() | names.map(PeerName),
)
speakers = st.builds(
    SpeakerStatus,
    node=names,
    version=st.just("0.1.0"),
    started=moments,
    agent_connected=st.booleans(),
    agent_absent_since=st.none(),
    exabgp_pid=st.none(),
    sessions=st.lists(sessions, max_size=3).map(tuple),
    routes=st.lists(
        st.builds(
            RouteStatus,
            prefix=prefixes,
            peers=st.lists(names.map(PeerName), max_size=3).map(tuple),
            rank=st.integers(0, 255),
            med=st.none() | st.integers(0, 2**32 - 1),
        ),
        max_size=3,
    ).map(tuple),
    withheld=st.lists(withheld, max_size=3).map(tuple),
    mesh=st.none()
    | st.builds(
        MeshStatus,
        node=names,
        generation=st.integers(0, 2**23),
        armed=st.booleans(),
        reachable=st.integers(0, 1000),
        counted=st.integers(0, 1000),
        members=st.lists(members, max_size=3).map(tuple),
    ),
    conditions=st.lists(conditions, max_size=3).map(tuple),
).map(arranged)
agents = st.builds(
    NodeStatus,
    node=names,
    version=st.just("0.1.0"),
    source=names,
    synced=st.booleans(),
    speaker=st.none(),
    withheld=st.lists(withheld, max_size=3).map(tuple),
    conditions=st.lists(conditions, max_size=3).map(tuple),
    services=st.dictionaries(prefixes, st.lists(names, max_size=3).map(tuple), max_size=3),
)
views = st.builds(
    View,
    agent=st.none() | agents,
    agent_error=texts,
    speaker=st.none() | speakers,
    speaker_error=texts,
    agent_asked=st.booleans(),
)
failovers = st.lists(
    st.builds(
        Failover,
        kind=st.sampled_from(["raise", "adopt", "withdraw", "drain", "doubt"]),
        at=moments,
        cause=texts,
        generation=st.integers(0, 2**23),
        routes=st.integers(0, 99_999),
        steps=st.lists(
            st.builds(Step, name=st.just("decision"), milliseconds=st.floats(0, 1e6), detail=texts),
            max_size=4,
        ).map(tuple),
    ),
    max_size=3,
)


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_is_what_it_was(name: str) -> None:
    """Whoever changes a screen sees it in the review: `python -m tests.ctl.samples` writes them."""
    assert SCREENS[name]() == (GOLDEN / name).read_text()


def test_a_budget_is_shown_where_there_is_one() -> None:
    """Only wide, and only where a peer dampens flaps: most people never meet it."""
    assert FINE.speaker is not None
    first, *rest = FINE.speaker.sessions
    damped = replace(first, damping_budget=2)
    view = replace(FINE, agent=None, speaker=replace(FINE.speaker, sessions=(damped, *rest)))
    assert "DAMPING" in status_table(view, now=NOW, wide=True)
    assert "2 left" in status_table(view, now=NOW, wide=True)
    assert "DAMPING" not in status_table(view, now=NOW, wide=False)
    assert "DAMPING" not in status_table(FINE, now=NOW, wide=True)


def test_a_session_of_a_provider_says_whose_it_is() -> None:
    """Only wide, and only where a provider or a gateway is in play."""
    assert FINE.speaker is not None
    first, *rest = FINE.speaker.sessions
    told = replace(
        first, document="packet", gateway="10.9.9.254", local_address=Address("10.9.9.1")
    )
    view = replace(FINE, agent=None, speaker=replace(FINE.speaker, sessions=(told, *rest)))
    wide = status_table(view, now=NOW, wide=True)
    assert all(word in wide for word in ("BGPPEER", "packet", "10.9.9.254", "10.9.9.1"))
    assert "10.9.9.254" not in status_table(view, now=NOW, wide=False)
    assert "GATEWAY" not in status_table(FINE, now=NOW, wide=True)


def test_there_is_no_golden_screen_without_a_test() -> None:
    """A file that nothing produces any more is removed."""
    assert {path.name for path in GOLDEN.iterdir()} == set(SCREENS)


@calm
@given(views, st.booleans())
def test_no_status_is_wider_than_a_terminal_or_drives_it(view: View, wide: bool) -> None:
    """Whatever names and messages say, lines end at 80 columns and hold no control characters."""
    for line in status_table(view, now=NOW, wide=wide).split("\n"):
        assert line.isprintable()
        assert wide or len(line) <= 80
        assert line == line.rstrip()


@calm
@given(failovers)
def test_no_timeline_is_wider_than_a_terminal_or_drives_it(found: list[Failover]) -> None:
    """The same holds for the timeline."""
    for line in timeline_table(found).split("\n"):
        assert line.isprintable()
        assert len(line) <= 80


@calm
@given(views)
def test_every_status_is_a_document(view: View) -> None:
    """JSON and YAML say the same, and both begin with what they are."""
    document = status_document(view)
    read = json.loads(dump(document, "json"))
    assert list(read)[:2] == ["apiVersion", "kind"]
    assert yaml.safe_load(dump(document, "yaml")) == read


def test_documents_name_their_kind() -> None:
    """Programs tell one document from another by kind."""
    assert status_document(FINE)["kind"] == "NodeStatus"
    assert timeline_document(())["kind"] == "FailoverList"


def test_the_document_says_what_the_headline_says() -> None:
    """The verdict is made once, for people and programs."""
    problems = status_document(SICK)["problems"]
    assert isinstance(problems, list)
    screen = " ".join(status_table(SICK, now=NOW).split())
    for problem in problems:
        assert " ".join(printable(problem).split()) in screen


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "<unknown>"),
        (-5.0, "0s"),
        (0.9, "0s"),
        (59.9, "59s"),
        (60.0, "1m"),
        (754.0, "12m34s"),
        (3600.0, "1h"),
        (11_520.0, "3h12m"),
        (90_061.0, "1d1h"),
        (86_400.0 * 400, "400d"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float | None, words: str) -> None:
    """Ages are short, as kubectl shows them."""
    assert duration(seconds) == words


def test_columns_give_way_from_the_last_flexible_one() -> None:
    """What is cut ends in an ellipsis, and a column that is not flexible is never cut."""
    text = columns(
        ("NAME", "KEEP", "WHY"),
        [("a" * 10, "b" * 10, "c" * 30)],
        width=40,
        flexible=(0, 2),
    )
    assert text.splitlines() == [
        "NAME        KEEP        WHY",
        f"{'a' * 10}  {'b' * 10}  {'c' * 15}…",
    ]


@calm
@given(texts)
def test_wrapping_loses_nothing_but_blanks(text: str) -> None:
    """Every letter of a message reaches the person."""
    kept = "".join(wrapped(text, indent="    ").split())
    assert kept == "".join(printable(text).split())
