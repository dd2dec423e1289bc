"""Doctor's judgement: each check OK, warning and failing, with the sentence that a person reads."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpd.ctl.doctor import Finding, Level, document, examine, exit_status, report
from bgpd.ctl.doctorchecks import CHECKS, NAMES
from bgpd.ctl.doctorfacts import Facts
from bgpd.ctl.doctornode import BELONGS, ELSEWHERE
from bgpd.ctl.doctorsession import reached
from bgpd.exabgp import refusal
from bgpd.model.peer import PeerState
from tests.ctl import doctornodecases, doctorpeercases
from tests.ctl.doctorpeercases import NO_ANSWER, NOTIFIED
from tests.ctl.doctorsamples import (
    NOTHING,
    SILENT,
    SOURCE,
    TOR_B,
    WELL,
    down,
    told,
    with_host,
    with_member,
    with_peer,
)

OK, WARN, FAIL, SKIP = Level.OK, Level.WARN, Level.FAIL, Level.SKIP
WANTED = refusal.Wanted(
    address=TOR_B, local_address=SOURCE, local_asn=1, peer_asn=2, router_id=SOURCE
)

CASES = (*doctornodecases.CASES, *doctorpeercases.CASES)


@pytest.mark.parametrize(
    ("facts", "check", "subject", "level", "words"),
    [pytest.param(*case[1:], id=f"{case[2]}: {case[0]}") for case in CASES],
)
def test_each_check_says_what_is(
    facts: Facts, check: str, subject: str, level: Level, words: str
) -> None:
    """The level is right, the sentence names the cause, and what is wrong has a next command."""
    found = told(facts)[check, subject]
    assert found.level is level, found
    assert words in found.sentence
    assert bool(found.next_command) or level in {OK, SKIP}


def test_a_node_that_is_well_has_no_line_to_act_on() -> None:
    """The sample itself is sound: nothing warns, and only the router knows what it took."""
    lines = told(WELL).values()
    assert {one.level for one in lines} <= {OK, SKIP}
    assert {one.check for one in lines if one.level is SKIP} == {"accepted"}
    assert exit_status(lines) == 0


def test_every_check_has_cases_for_each_of_its_levels() -> None:
    """A check that can only be OK in the table is one that nobody has seen fail."""
    seen: dict[str, set[Level]] = {name: set() for name in NAMES}
    for _, _, check, _, level, _ in CASES:
        seen[check].add(level)
    assert [name for name, levels in seen.items() if OK not in levels] == []
    assert [name for name, levels in seen.items() if not levels & {WARN, FAIL}] == []


def test_what_follows_from_a_failure_is_not_judged_again() -> None:
    """No route: connection, password, session and hold time of that peer wait; others do not."""
    lines = told(with_peer(down(NO_ANSWER, way=None, connect=SILENT, ping=SILENT)))
    assert [key for key, one in lines.items() if one.level is FAIL] == [("route", "tor-b")]
    for check in ("tcp", "md5", "open", "hold", "families", "accepted", "mtu"):
        assert lines[check, "tor-b"].sentence == "not judged, because route failed"
        assert lines[check, "tor-a"].level in {OK, SKIP}


def test_a_node_of_which_nothing_is_known_fails_only_for_its_processes() -> None:
    """What nobody could look at is said, and is no failure."""
    lines = told(NOTHING)
    assert {key[0] for key, one in lines.items() if one.level is FAIL} == {"agent", "speaker"}
    assert {one.level for one in lines.values()} <= {OK, FAIL, SKIP}
    assert lines["route", ""].sentence == "no router is known (there is no desired.json)"


@pytest.mark.parametrize("check", ["agent", "speaker"])
def test_a_process_is_looked_for_where_it_can_be_seen(check: str) -> None:
    """On a host among its processes; a container of the pod sees no other's."""
    program = {"agent": "agent", "speaker": "exabgp"}[check]
    assert told(NOTHING)[check, ""].next_command == f"pgrep -af bgpd.{program}"
    in_pod = replace(NOTHING, pod_of="n1")
    listed = "kubectl get pods -A --field-selector spec.nodeName=n1"
    assert told(in_pod)[check, ""].next_command == listed


@pytest.mark.parametrize(
    ("error", "there"),
    [
        pytest.param(refusal.silent(WANTED), False, id="silence"),
        pytest.param(refusal.silent(replace(WANTED, password=True)), False, id="signed silence"),
    ]
    + [
        pytest.param(refusal.failed(number, "words", WANTED), False, id=f"errno {number}")
        for number in (111, 113, 101, 99, 13, 1)
    ]
    + [
        pytest.param(NOTIFIED, True, id="a NOTIFICATION of the router"),
        pytest.param(f"{NOTIFIED}; since then {NO_ANSWER}", False, id="silence after one"),
        pytest.param(
            "we started the session anew (NOTIFICATION 6/6, Cease)", False, id="our own Cease"
        ),
        pytest.param(
            "the router is AS 7, not AS 8 (NOTIFICATION 2/2, OPEN Message Error)",
            True,
            id="what we do not accept",
        ),
        pytest.param(
            "169.254.255.2:179 takes connections from 10.0.0.5 and closes them at once: it is shut",
            True,
            id="a connection that is closed at once",
        ),
        pytest.param("", False, id="nothing said yet"),
        pytest.param(refusal.vanished(WANTED), False, id="a router that vanished"),
        pytest.param(refusal.closed(PeerState.CONNECT, WANTED), True, id="closed after a SYN"),
        pytest.param(refusal.closed(PeerState.OPEN_CONFIRM, WANTED), True, id="after our OPEN"),
        pytest.param(refusal.received(6, 1, b"", WANTED), True, id="a limit that was reached"),
        pytest.param(refusal.sent(6, 6, "", WANTED), False, id="a change of our own"),
    ],
)
def test_a_last_error_says_whether_tcp_got_through(error: str, there: bool) -> None:
    """The words are those that the speaker uses, so a change of them is noticed here."""
    assert reached(error) is there


@given(st.sampled_from([case[1] for case in CASES]))
@settings(max_examples=60)
def test_no_line_is_wider_than_a_terminal(facts: Facts) -> None:
    """Sentences are wrapped, and commands go on after a backslash."""
    text = report(examine(facts, CHECKS), "n1")
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"[^\x20-\x7e\n]", text)


def test_a_long_command_can_be_copied() -> None:
    """Without the backslashes at the ends of lines it is the same again."""
    command = " ".join(f"word{number}" for number in range(30))
    one = Finding(check="c", level=FAIL, subject="s", sentence="it is so", next_command=command)
    text = report([one]).partition("$ ")[2]
    assert " ".join(text.replace("\\\n", " ").split()) == command


def test_what_a_router_says_drives_no_terminal() -> None:
    """An operator's shutdown message may hold anything."""
    text = report(examine(with_peer(down("saying \x1b[31m\x07")), CHECKS))
    assert "\x1b" not in text


def test_of_many_members_only_those_with_trouble_are_named() -> None:
    """A mesh of a thousand is one line, and one for each that is not well."""
    deaf = with_member(hears_us=False).members
    many = tuple(replace(deaf[1], name=f"m{number}") for number in range(30))
    lines = told(replace(WELL, members=(deaf[0], *many))).values()
    mesh = {one.subject: one.sentence for one in lines if one.check == "mesh"}
    assert set(mesh) == {"", "n2"}
    assert mesh[""] == "30 members are heard, and hear us"


def test_the_first_line_says_where_to_begin() -> None:
    """Lines are in the order of causes."""
    lines = examine(with_host(addresses=(), sysctls={"net.ipv4.ip_forward": "0"}), CHECKS)
    first = report(lines, "n1").splitlines()[0]
    assert re.fullmatch(
        r"n1: 3 FAIL, 0 WARN, \d+ OK, \d+ not judged of \d+ lines; begin with source", first
    )


def test_only_the_named_checks_are_shown_and_count() -> None:
    """What is not asked for still explains what is: a failed route makes `open` wait."""
    facts = with_peer(down(NO_ANSWER, way=None))
    lines = examine(facts, CHECKS, {"open"})
    assert {one.check for one in lines} == {"open"}
    assert exit_status(lines) == 0
    assert exit_status(examine(facts, CHECKS, {"open", "route"})) == 1


def test_programs_read_every_line() -> None:
    """Level, check, subject, sentence and next command, and whether anything failed."""
    found = json.loads(json.dumps(document(examine(with_host(synchronized=False), CHECKS), "n1")))
    assert found["kind"] == "Examination"
    assert found["healthy"] is True
    assert found["counts"]["WARN"] == 1
    clock = next(one for one in found["items"] if one["check"] == "clock")
    assert clock == {
        "level": "WARN",
        "check": "clock",
        "subject": "",
        "sentence": clock["sentence"],
        "next": "timedatectl || chronyc tracking",
    }


def test_every_condition_that_a_check_tells_is_one_that_somebody_reports() -> None:
    """A condition that was given another name would fall to the last line, as a warning."""
    rooms = Path(__file__).parents[2] / "bgpd"
    text = "".join(
        path.read_text() for path in rooms.rglob("*.py") if not path.name.startswith("doctor")
    )
    assert [one for one in (*BELONGS, *ELSEWHERE) if f'"{one}"' not in text] == []
    assert {name for name, _, _ in BELONGS.values()} <= set(NAMES)
