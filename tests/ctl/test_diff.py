"""`bgpctl diff`: three words on one route, and where they differ."""

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.ctl.diffrows import Verdict, difference
from bgpd.ctl.difftext import difference_text
from bgpd.ctl.routertable import RouterPath, families_of, parse
from bgpd.ipc.message import Answer
from bgpd.model.errors import ConfigError
from bgpd.model.grounds import AgentRoutes, PeerRoute, SpeakerRoutes
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.route import Advertisement, Attributes
from tests.ctl.fakes import Result, bgpctl, command, serving
from tests.ctl.samples import FINE
from tests.lacking import need_root

TABLES: Final = Path(__file__).with_name("routers")
PEER: Final = PeerName("tor-a")
PREFIX: Final = Prefix("203.0.113.10/32")
HOP: Final = Address("10.99.1.1")
WISH: Final = Advertisement(peer=PEER, prefix=PREFIX, communities=("65000:7",))
SENT: Final = Attributes(next_hop=HOP, med=2147482112, communities=("65000:7",))
ROW: Final = PeerRoute(peer=PEER, prefix=PREFIX, wanted=WISH, told=SENT)
PATH: Final = RouterPath(
    prefix=PREFIX,
    next_hop=HOP,
    med=2147482112,
    communities=("65000:7", "65530:1"),
    as_path=(65000,),
)
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["203.0.113.1/32", "10.0.0.1", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["routes", "paths", "prefix", "nexthops", "ip", "attrs", "type"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def speaker(*rows: PeerRoute, **changes: Any) -> SpeakerRoutes:
    """Return what a speaker says."""
    return replace(SpeakerRoutes(node="n1", routes=rows, established=(PEER,)), **changes)


def agent(*wishes: Advertisement) -> AgentRoutes:
    """Return what an agent says."""
    return AgentRoutes(node="n1", advertisements=wishes)


def test_three_words_that_agree_are_the_same() -> None:
    """Communities that the router adds, and a local preference of its own, are its business."""
    found = difference(speaker(ROW), agent(WISH), [replace(PATH, local_pref=100)])
    assert not found.differs
    assert difference_text(found, every=False) == "n1: 1 route the same\n"


@pytest.mark.parametrize(
    ("rows", "wishes", "paths", "sentence"),
    [
        pytest.param((), (WISH,), [], "the speaker has not heard so", id="the agent is ahead"),
        pytest.param((ROW,), (), [PATH], "does not want it any more", id="the agent let go"),
        pytest.param((ROW,), (replace(WISH, rank=9),), [PATH], "wants it otherwise",
                     id="the agent wants another rank"),
        pytest.param((replace(ROW, told=None),), (WISH,), [], "ExaBGP was not told of it",
                     id="wanted and not sent"),
        pytest.param((replace(ROW, refused=True),), (WISH,), [PATH], "ExaBGP would not take it",
                     id="refused by ExaBGP"),
        pytest.param((replace(ROW, wanted=None),), (), [PATH], "it was not taken back",
                     id="sent and not wanted"),
        pytest.param((ROW,), (WISH,), [], "the router does not have it", id="filtered there"),
        pytest.param((ROW,), (WISH,), [replace(PATH, med=0)], "the router has 0",
                     id="a router that sets the MED"),
        pytest.param((ROW,), (WISH,), [replace(PATH, communities=())],
                     "65000:7 did not arrive", id="communities are not sent on"),
        pytest.param((), (), [PATH], "", id="another speaker's path is nobody's business here"),
    ],
)  # fmt: skip
def test_where_they_differ_a_sentence_says_how(
    rows: tuple[PeerRoute, ...],
    wishes: tuple[Advertisement, ...],
    paths: list[RouterPath],
    sentence: str,
) -> None:
    """One sentence each; what nobody can compare is no difference."""
    found = difference(speaker(*rows), agent(*wishes), paths)
    said = " ".join(one for row in found.rows for one in row.sentences)
    assert sentence in said
    assert found.differs is bool(sentence)


def test_a_path_by_our_next_hop_that_we_did_not_send_is_told() -> None:
    """Kept over a graceful restart, or of a program that speaks for this node beside us."""
    found = difference(speaker(), agent(), [PATH], own=[HOP])
    assert "we did not send it" in difference_text(found, every=False)


def test_what_is_rightly_withheld_is_shown_and_is_no_difference() -> None:
    """A standby is as it should be; what finds no room is not."""
    for reason, verdict in (
        (Reason.STANDBY, Verdict.WITHHELD),
        (Reason.PREFIX_LIMIT, Verdict.DIFFERS),
    ):
        why = Withheld(service="", prefix=PREFIX, reason=reason, message="because", peer=PEER)
        found = difference(speaker(replace(ROW, told=None, withheld=why)), agent(WISH), None)
        assert [one.verdict for one in found.rows] == [verdict]
        assert f"{reason.value}: because" in difference_text(found, every=False)


def test_what_cannot_be_asked_is_said_and_not_counted() -> None:
    """An agent that is dead, a router that nobody can ask, an ExaBGP that is still writing."""
    found = difference(speaker(ROW, settled=False), "nobody listens", None)
    assert not found.differs
    assert len(found.unknown) == 3
    assert found.rows[0].wanted is None


@pytest.mark.parametrize(
    ("table", "differs"),
    [
        pytest.param("frr.json", False, id="FRR was asked for the other one alone"),
        pytest.param("bird.txt", True, id="BIRD prints all"),
    ],
)
def test_a_table_of_one_family_says_nothing_of_the_other(table: str, *, differs: bool) -> None:
    """`show bgp ipv4 unicast json` has no IPv6 route, and the router may have all of them."""
    six = Attributes(next_hop=Address("2001:db8::1"))
    row = PeerRoute(peer=PEER, prefix=Prefix("2001:db8::7/128"), wanted=None, told=six)
    wish = Advertisement(peer=PEER, prefix=row.prefix)
    text = (TABLES / table).read_text()
    paths = parse(text)
    assert not any(":" in one.prefix for one in paths)
    found = difference(
        speaker(replace(row, wanted=wish)),
        agent(wish),
        paths,
        families=families_of(text, paths),
    )
    assert found.differs is differs
    assert any("ipv6-unicast" in one for one in found.unknown) is not differs


def test_what_is_alike_is_told_once() -> None:
    """A thousand routes of a session that is down are one fact."""
    rows = [replace(ROW, prefix=Prefix(f"203.0.113.{number}/32")) for number in range(1, 8)]
    found = difference(speaker(*rows, established=()), "nobody listens", None)
    text = difference_text(found, every=False)
    assert text.count("the session is down") == 1
    assert "203.0.113.5/32 and 2 more to tor-a" in text.replace("\n  ", " ")


def test_a_session_that_is_down_carries_nothing_whatever_was_told() -> None:
    """The router is not blamed for it."""
    found = difference(speaker(ROW, established=()), agent(WISH), [])
    assert [one.sentences for one in found.rows] == [
        ("the session is down: the router hears nothing of it",)
    ]


@pytest.mark.parametrize("name", ["bird.txt", "frr.json"])
def test_a_routers_own_words_are_read(name: str) -> None:
    """As BIRD 2.0.12 and FRR 8.4.4 printed them in the lab: two prefixes by three nodes."""
    found = parse((TABLES / name).read_text())
    assert len(found) == 6
    assert {one.next_hop for one in found} == {"10.99.1.1", "10.99.2.1", "10.99.3.1"}
    assert {one.as_path for one in found} == {(65000,)}
    assert all(one.med is not None and one.med > 2**30 for one in found)
    assert sum(bool(one.best) for one in found) == 2


def test_communities_are_read_where_they_are_printed() -> None:
    """BIRD prints all or there is none; FRR's list of a family leaves them out."""
    first, second, *_ = parse((TABLES / "bird.txt").read_text())
    assert first.communities == ("65000:7", "65535:0")
    assert first.large_communities == ("65000:1:2",)
    assert second.communities == ()
    assert parse((TABLES / "frr.json").read_text())[0].communities is None


def test_gobgps_table_is_read() -> None:
    """`gobgp global rib -j`: attributes by their type codes."""
    attributes = [
        {"type": 1, "value": 0},
        {"type": 2, "as_paths": [{"segment_type": 2, "num": 1, "asns": [65000]}]},
        {"type": 3, "nexthop": "10.99.1.1"},
        {"type": 4, "metric": 7},
        {"type": 8, "communities": [65000 << 16 | 7]},
    ]
    text = json.dumps({"203.0.113.10/32": [{"nlri": {}, "attrs": attributes}]})
    (one,) = parse(text)
    assert (one.med, one.communities, one.as_path) == (7, ("65000:7",), (65000,))


@pytest.mark.parametrize("text", ["", "nothing", "{", "[]", '{"a": 1}', "%% BGP not running"])
def test_what_is_no_table_is_an_error_and_not_an_empty_one(text: str) -> None:
    """Unknown is not empty: nobody is told that a router refused everything."""
    with pytest.raises(ConfigError):
        parse(text)


@given(st.text() | JSON.map(json.dumps))
def test_any_text_is_read_or_refused(text: str) -> None:
    """A router's output is input: it never ends in a traceback."""
    try:
        found = parse(text)
    except ConfigError:
        return
    assert isinstance(found, tuple)


def asked(directory: Path, *words: str, agent_answers: bool = True) -> Result:
    """Run `bgpctl diff` beside a node that answers."""

    async def story() -> Result:
        status = {"status": Answer(content=FINE.agent), "routes": Answer(content=agent(WISH))}
        spoken = {"status": Answer(content=FINE.speaker), "routes": Answer(content=speaker(ROW))}
        agents = status if agent_answers else None
        async with serving(directory, agent=agents, speaker=spoken):
            return await bgpctl("diff", *words, "--run-dir", str(directory))

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        pytest.param((), 0, "1 route the same", id="nothing differs"),
        pytest.param(("--router", str(TABLES / "frr.json")), 1, "MED: sent", id="something does"),
        pytest.param(("--router", "/nowhere"), 78, "No such file", id="no file"),
        pytest.param(("--router-exec", "false"), 75, "ended with 1", id="a command that fails"),
        pytest.param(("--router-exec", r"printf '\377'"), 78, "not understood", id="no letters"),
        pytest.param(("--router-exec", "/no/such"), 78, "No such file", id="no command"),
        pytest.param(("nobody",), 78, "there are tor-a, tor-b", id="no such peer"),
    ],
)
def test_the_exit_status_says_it_for_scripts(
    tmp_path: Path, words: tuple[str, ...], status: int, says: str
) -> None:
    """0 the same, 1 differs, more where it could not be found out."""
    found = asked(tmp_path, *words)
    assert found.status == status
    assert says in found.output + found.errors


STRANGER = """
import os, sys
from pathlib import Path
from bgpd.ctl import diffcommand, diffrows, difftext, document, explainask, program
os.setgroups([])
os.setresgid(12345, 12345, 12345)
os.setresuid(12345, 12345, 12345)
program.run("bgpctl", lambda: diffcommand.diff_command(run_dir=Path(sys.argv[1]), timeout=20))
"""


def test_who_may_not_ask_is_not_told_to_try_again(tmp_path: Path) -> None:
    """Nothing is going to change before somebody gives the permission."""
    need_root(unproven="who may not ask what was sent is not told to try again")

    async def story() -> Result:
        spoken = {"status": Answer(content=FINE.speaker)}
        async with serving(tmp_path, agent={"status": Answer(content=FINE.agent)}, speaker=spoken):
            return await command((sys.executable, "-c", STRANGER, str(tmp_path)))

    result = asyncio.run(story())
    assert result.status == 78
    assert "permission denied" in result.errors


def test_without_an_agent_what_was_sent_is_compared_all_the_same(tmp_path: Path) -> None:
    """And it is said what is missing."""
    found = asked(tmp_path, "-o", "json", agent_answers=False)
    assert found.status == 0
    told = json.loads(found.output)
    assert told["routes"][0]["sent"].startswith("next hop 10.99.1.1")
    assert any("agent" in one for one in told["notCompared"])
