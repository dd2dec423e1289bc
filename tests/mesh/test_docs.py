"""The page about the mesh says what the code does."""

from pathlib import Path

from bgpd.mesh import judge, liveness, machine, packet, takeover, watch
from bgpd.mesh.liveness import NEXT_STATE, Sign
from bgpd.mesh.seal import Refusal
from bgpd.model.status import MemberState

PAGE = Path(__file__).parents[2] / "docs" / "mesh.md"


def diagram() -> str:
    """Return the table of states as a Mermaid diagram: what changes nothing is left out."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> Unheard"]
    for old, row in NEXT_STATE.items():
        for new in dict.fromkeys(row.values()):
            if new is not old:
                signs = ", ".join(sign.value for sign in Sign if row[sign] is new)
                lines.append(f"    {old} --> {new}: {signs}")
    return "\n".join([*lines, "```"])


def test_the_table_is_total() -> None:
    """Every state has an answer to every sign, and every state can be reached."""
    assert set(NEXT_STATE) == set(MemberState)
    assert all(set(row) == set(Sign) for row in NEXT_STATE.values())
    reached = {new for row in NEXT_STATE.values() for new in row.values()}
    assert reached == set(MemberState)


def test_a_heartbeat_brings_everyone_back_and_only_a_raise_or_a_leave_buries() -> None:
    """Two facts of the table that everything else rests on."""
    for old, row in NEXT_STATE.items():
        assert row[Sign.BEATING] is MemberState.ALIVE
        for sign, new in row.items():
            if new is MemberState.DEAD and old is not MemberState.DEAD:
                assert sign in {Sign.RAISED, Sign.LEFT}


def test_the_picture_is_the_table() -> None:
    """The picture in the page is generated; on a mismatch, paste what this test expects."""
    assert diagram() in PAGE.read_text()


def test_the_page_names_every_counter_and_the_right_numbers() -> None:
    """Numbers that are written down are those of the code."""
    page = " ".join(PAGE.read_text().split())
    for refusal in Refusal:
        assert f"`{refusal}`" in page
    for fact in (
        f"at most {packet.MAX_DATAGRAM} bytes",
        f"{packet.MAX_ECHOES} echoes, {packet.MAX_RECORDS} death records",
        f"more than {takeover.MAX_JUMP} ahead of ours (or more than {takeover.MAX_RESETS} resets)",
        f"within {takeover.JOIN_WITHIN * 1000:.0f} ms of a raise",
        f"heard within {takeover.FRESH} intervals",
        f"has told it, or {machine.START_WAIT * 1000:.0f} ms after the member list became known",
        f"{machine.START_LIMIT:.0f} s, if one is in reach",
        f"twice more, {judge.REPEATS[1] * 1000:.0f} ms apart",
        f"At most {watch.SUBSCRIBERS} members",
    ):
        assert fact in page, fact
    assert (liveness.GRACE_LIMIT, watch.WATCHERS) == (60.0, 5), "a minute away; five watchers"


def test_the_header_in_the_page_is_the_header() -> None:
    """The sizes in the table add up to the header that is packed."""
    rows = PAGE.read_text().split("| header | bytes | meaning |")[1].split("\n\n")[0].splitlines()
    assert sum(int(row.split("|")[2]) for row in rows[2:]) == packet.HEADER.size
