"""What `bgpctl events` shows of a node's memory, and what it says when half of it is away."""

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bgpd.ctl import eventlist
from bgpd.ipc.message import Answer
from bgpd.model.event import Event
from tests.ctl.fakes import Result, bgpctl, environment, serving

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
DOWN = Event(
    at=NOW - 60.25,
    level="warning",
    event="session_changed",
    keys=(("peer", "tor-a"), ("state", "Idle"), ("error", "the hold timer expired")),
    process="speaker",
)
UP = replace(DOWN, at=NOW - 1, level="info", keys=(("peer", "tor-a"), ("state", "Established")))
WITHHELD = Event(
    at=NOW - 30,
    level="warning",
    event="service_withheld",
    keys=(("service", "default/web"), ("reason", "HealthCheckFailed")),
    process="agent",
)
YESTERDAY = replace(WITHHELD, at=NOW - 86_400, event="synced", level="info", keys=())
SPEAKER = {"events": Answer(content=[DOWN, UP])}
AGENT = {"events": Answer(content=[YESTERDAY, WITHHELD])}


def test_both_processes_are_one_list_by_time() -> None:
    """Whose word it is stands in a column; 80 columns suffice, and what is cut ends in ...."""
    events = eventlist.merged([[YESTERDAY, WITHHELD], [DOWN, UP]])
    text = eventlist.table(events, now=NOW)
    assert text == (
        "TIME          LEVEL    PROCESS  EVENT             KEYS\n"
        "01-14T08:00Z  info     agent    synced\n"
        '07:58:59.750  warning  speaker  session_changed   peer=tor-a state=Idle error="…\n'
        "07:59:30.000  warning  agent    service_withheld  service=default/web reason=He…\n"
        "07:59:59.000  info     speaker  session_changed   peer=tor-a state=Established\n"
    )
    assert all(len(line) <= 80 for line in text.splitlines())


def test_wide_says_all() -> None:
    """Whole times and every key."""
    text = eventlist.table([DOWN], now=NOW, wide=True, headers=False)
    assert text == (
        "2027-01-15T07:58:59.750Z  warning  speaker  session_changed  "
        'peer=tor-a state=Idle error="the hold timer expired"\n'
    )


@pytest.mark.parametrize(
    ("level", "names", "expected"),
    [
        pytest.param("info", [], [YESTERDAY, DOWN, WITHHELD, UP], id="everything from info up"),
        pytest.param("warning", [], [DOWN, WITHHELD], id="warnings and worse"),
        pytest.param("info", ["session_*"], [DOWN, UP], id="names may hold a star"),
        pytest.param("info", ["synced", "service_withheld"], [YESTERDAY, WITHHELD], id="several"),
        pytest.param("error", ["session_*"], [], id="both must hold"),
    ],
)
def test_what_is_chosen(level: str, names: list[str], expected: list[Event]) -> None:
    """By level and by name."""
    events = eventlist.merged([[YESTERDAY, WITHHELD], [DOWN, UP]])
    assert list(eventlist.chosen(events, level=level, names=names)) == expected


def test_a_level_of_a_newer_program_is_shown() -> None:
    """Nobody asked to leave it out."""
    odd = replace(DOWN, level="critical")
    assert eventlist.chosen([odd], level="error") == (odd,)


@given(
    st.lists(st.sampled_from([DOWN, UP, WITHHELD, YESTERDAY])),
    st.lists(st.sampled_from([DOWN, UP, WITHHELD, YESTERDAY])),
    st.integers(min_value=0, max_value=10),
)
def test_news_is_what_came_since(kept: list[Event], new: list[Event], forgotten: int) -> None:
    """Whatever the ring forgot and however the clock jumped: no event twice, none lost."""
    forgotten = min(forgotten, len(kept))
    after = [*kept[forgotten:], *new]
    found = eventlist.news(kept, after)
    # What equals one that the ring forgot cannot be told from it.
    assert len(new) - forgotten <= len(found) <= len(new)
    if not forgotten:
        assert sorted(map(repr, found)) == sorted(map(repr, new))


def _run(tmp_path: Path, *words: str, agent: bool = True, speaker: bool = True) -> Result:
    async def story() -> Result:
        async with serving(
            tmp_path, agent=AGENT if agent else None, speaker=SPEAKER if speaker else None
        ):
            return await bgpctl("events", "--run-dir", str(tmp_path), *words)

    return asyncio.run(story())


def test_the_last_events_of_a_node(tmp_path: Path) -> None:
    """The newest are last, next to the prompt."""
    result = _run(tmp_path, "--last", "2", "--no-headers", "-o", "wide")
    assert (result.status, result.errors) == (0, "")
    assert [line.split()[3] for line in result.output.splitlines()] == [
        "service_withheld",
        "session_changed",
    ]


def test_programs_get_the_words_of_the_log(tmp_path: Path) -> None:
    """JSON is a list with whoever is missing; YAML says the same."""
    result = _run(tmp_path, "-o", "json", "--level", "warning")
    found = json.loads(result.output)
    assert found["kind"] == "EventList"
    assert found["missing"] == {}
    assert found["items"][0] == {
        "time": "2027-01-15T07:58:59.750Z",
        "level": "warning",
        "process": "speaker",
        "event": "session_changed",
        "keys": {"peer": "tor-a", "state": "Idle", "error": "the hold timer expired"},
    }
    assert yaml.safe_load(_run(tmp_path, "-o", "yaml", "--level", "warning").output) == found


def test_a_dead_agent_takes_its_own_events_only(tmp_path: Path) -> None:
    """What the speaker knows is shown, and one sentence says what is missing."""
    result = _run(tmp_path, agent=False)
    assert result.status == 0
    assert "session_changed" in result.output
    assert result.errors.count("\n") == 1
    assert "the agent does not answer" in result.errors
    assert "no such socket" in result.errors


def test_a_dead_speaker_takes_its_own_events_only(tmp_path: Path) -> None:
    """Programs hear of it in the document, too."""
    result = _run(tmp_path, "-o", "json", speaker=False)
    assert result.status == 0
    found = json.loads(result.output)
    assert list(found["missing"]) == ["speaker"]
    assert {one["process"] for one in found["items"]} == {"agent"}


def test_nobody_there_is_one_sentence(tmp_path: Path) -> None:
    """Try again: nothing is wrong with the question."""
    result = asyncio.run(bgpctl("events", "--run-dir", str(tmp_path)))
    assert (result.status, result.output) == (75, "")
    assert result.errors.startswith(f"bgpctl: nothing answers ({tmp_path}/agent.sock: no such")


def test_a_hung_agent_costs_its_timeout_and_no_more(tmp_path: Path) -> None:
    """It accepts and never answers; the speaker's events are there all the same."""

    async def story() -> Result:
        async with serving(tmp_path, agent={}, speaker=SPEAKER):
            return await bgpctl("events", "--run-dir", str(tmp_path), "--timeout", "3")

    result = asyncio.run(story())
    assert result.status == 0
    assert "no answer within 3 s" in result.errors


def test_a_level_that_is_none_is_usage(tmp_path: Path) -> None:
    """A slip is told before anything is asked."""
    result = _run(tmp_path, "--level", "loud")
    assert result.status == 2
    assert "must be info, warning or error" in result.errors


def test_watching_goes_on_with_what_happens(tmp_path: Path) -> None:
    """New events follow, one a line; who stops answering is told once."""

    async def story() -> list[str]:
        async with serving(tmp_path, agent=AGENT, speaker=SPEAKER) as served:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bgpd.ctl", "events", "--run-dir", str(tmp_path)),
                *("--watch", "-o", "json"),
                stdout=asyncio.subprocess.PIPE,
                env=environment(),
            )
            try:
                assert process.stdout is not None
                async with asyncio.timeout(30):
                    lines = [await process.stdout.readline() for _ in range(4)]
                    new = replace(UP, at=NOW + 5, event="bfd_up")
                    served["speaker"].answers["events"] = Answer(content=[DOWN, UP, new])
                    lines.append(await process.stdout.readline())
            finally:
                process.terminate()
                await process.wait()
            return [json.loads(line)["event"] for line in lines]

    names = asyncio.run(story())
    assert names == [
        *("synced", "session_changed", "service_withheld", "session_changed"),
        "bfd_up",
    ]


def test_the_last_event_of_a_line_without_end_is_cut() -> None:
    """A watched table stays within 80 columns, too."""
    text = eventlist.line(DOWN, now=NOW, wide=False)
    assert len(text) <= 80
    assert text.endswith("…")
    assert os.linesep not in text


def test_no_event_drives_a_terminal_or_takes_two_lines() -> None:
    """What a router says of itself may hold anything, and a line without end shows it as well."""
    hostile = Event(
        at=0.0, level="info", event="x", keys=(("reason", "\x1b[2J\nend"),), process="s"
    )
    for wide in (False, True):
        text = eventlist.line(hostile, now=0.0, wide=wide)
        assert text.endswith("reason=?[2J?end")
