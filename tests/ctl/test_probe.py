"""`bgpctl probe`: when traffic counts as moved, what is said of it, and who may be the partner."""

import asyncio
import ipaddress
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from bgpd.ctl import probelink, probepacket, probetable
from bgpd.ctl.explain import explain
from bgpd.ctl.probelink import Link
from bgpd.ctl.probeplan import (
    QUIET_SECONDS,
    Finding,
    Follow,
    Outcome,
    ProbeError,
    RouterFinding,
    Tally,
    questions,
    sentences,
)
from bgpd.ctl.proberoom import Room
from bgpd.ctl.table import status_table
from bgpd.ctl.view import View
from bgpd.ipc.message import Answer
from bgpd.model.peer import Lever
from bgpd.model.prefix import Address
from tests.ctl.fakes import bgpctl, serving
from tests.ctl.samples import NODE, SPEAKER

KEY, OLDER = b"a key of the mesh", b"the key before it"
MARK = b"01234567"
ROUTER = RouterFinding(
    peers=("tor-with-a-rather-long-name-a", "tor-with-a-rather-long-name-b"),
    router_ids=(Address("192.0.2.1"), Address("192.0.2.2")),
    configured=("med",),
    findings=(
        Finding(question="med", moves=False),
        Finding(question="asPath", moves=True, milliseconds=(4.2, 61.0)),
        Finding(question="origin", moves=False, refused=True),
        Finding(question="65535:0", moves=True, community=True),
    ),
)


def followed(*looks: tuple[float, int, int, float | None]) -> Follow:
    """Return what is thought after *looks*: time, right, wrong, and the last of the wrong."""
    follow = Follow(100.0, Tally(count=10), Tally(count=10, last=99.99))
    for at, right, wrong, last in looks:
        follow.look(at, Tally(count=right, last=at), Tally(count=wrong, last=last))
    return follow


@pytest.mark.parametrize(
    ("looks", "moved"),
    [
        pytest.param([(100.5, 100, 10, 99.99)], 0.0, id="at once"),
        pytest.param(
            [(100.1, 15, 30, 100.07), (100.5, 90, 30, 100.07)], 70.0, id="after some strays"
        ),
        pytest.param([(100.2, 90, 20, 100.19), (100.5, 200, 20, 100.19)], None, id="too early"),
        pytest.param([(100.5, 12, 10, 99.99)], None, id="silence is no traffic"),
        pytest.param(
            [(100.1 * 1 + n / 10, 100 + 40 * n, 100 + 40 * n, 100.1 + n / 10) for n in range(20)],
            None,
            id="a flow that is spread does not follow",
        ),
    ],
)
def test_traffic_follows_when_nothing_goes_astray(
    looks: list[tuple[float, int, int, float | None]], moved: float | None
) -> None:
    """Enough must come to the right node, and nothing to the other one for a while."""
    follow = followed(*looks)
    assert follow.settled is (moved is not None)
    assert follow.moved_milliseconds == pytest.approx(moved) if moved is not None else True


def test_traffic_that_was_there_already_has_not_moved() -> None:
    """A single best path may lead to a node before it gets better."""
    follow = Follow(100.0, Tally(count=500, last=99.99), Tally())
    follow.look(100.0 + QUIET_SECONDS, Tally(count=600, last=100.4), Tally())
    assert follow.settled
    assert follow.moved_milliseconds is None


def test_each_lever_is_tried_best_first() -> None:
    """Communities come last: bgpd has no lever of them."""
    names = [one.name for one in questions(internal=True, communities=("65000:1=65000:2",))]
    assert names == ["localPref", "med", "asPath", "origin", "65535:0", "65000:1=65000:2"]
    custom = questions(internal=False, communities=("65000:1=65000:2",))[-1]
    assert custom.arguments(better=True)["communities"] == "65000:1"
    assert custom.arguments(better=False)["communities"] == "65000:2"


@pytest.mark.parametrize(
    ("router", "code", "sentence"),
    [
        pytest.param(ROUTER, 1, "asPath does: set spec.takeover.lever: asPath", id="another"),
        pytest.param(replace(ROUTER, configured=("asPath",)), 0, "moves the traffic", id="good"),
        pytest.param(
            replace(ROUTER, configured=("asPath", "med")), 1, "asPath does", id="one of two"
        ),
        pytest.param(replace(ROUTER, configured=("none",)), 1, "asPath does", id="none"),
        pytest.param(
            replace(ROUTER, findings=ROUTER.findings[:1]), 1, "no lever moves", id="nothing works"
        ),
        pytest.param(
            replace(ROUTER, findings=(*ROUTER.findings[:1], ROUTER.findings[3])),
            1,
            "only community 65535:0 does",
            id="a community alone",
        ),
    ],
)
def test_the_verdict_says_what_to_do(router: RouterFinding, code: int, sentence: str) -> None:
    """Exit status 0 only where every configured lever works."""
    outcome = Outcome(address=Address("203.0.113.9"), nodes=("n1", "n2"), routers=(router,))
    assert outcome.exit_code == code
    assert sentence in sentences(outcome)[0]
    report = probetable.report(outcome)
    assert max(map(len, report.splitlines())) <= 80
    for row, peer in enumerate(router.peers, start=1):
        assert peer[:20] in report.splitlines()[row]
    document = probetable.document(outcome)
    assert document["works"] is (code == 0)
    assert document["routers"][0]["recommended"] == router.recommended


# Datagrams


@pytest.mark.parametrize(
    ("source", "target"), [("192.0.2.1", "203.0.113.9"), ("2001:db8::1", "2001:db8:e::9")]
)
def test_a_datagram_is_whole(source: str, target: str) -> None:
    """Checksums are right, the time to live is small, and the way is found again."""
    said = probepacket.payload(MARK, 3)
    packet = probepacket.datagram(Address(source), Address(target), port=50_001, ttl=2, said=said)
    six = ":" in source
    here, there = (ipaddress.ip_address(one).packed for one in (source, target))
    head, udp = (packet[:40], packet[40:]) if six else (packet[:20], packet[20:])
    assert head.endswith(here + there)
    assert head[7 if six else 8] == 2
    if not six:
        assert folded(head) == 0xFFFF
    assert folded(here + there + struct.pack("!II", len(udp), 17) + udp) == 0xFFFF
    assert struct.unpack_from("!HHH", udp) == (50_001, probepacket.PORT, len(udp))
    assert probepacket.way_of(packet, MARK) == 3
    assert probepacket.way_of(packet, b"another1") is None
    assert probepacket.way_of(packet[: packet.index(MARK) + 8], MARK) is None


def folded(data: bytes) -> int:
    """Return the one's complement sum: all ones where a checksum inside is right (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize("target", ["127.0.0.1", "::1"])
def test_the_command_for_a_third_machine_sends(target: str) -> None:
    """It is one line of Python, from many ports."""
    command = probepacket.client_command(Address(target), MARK, ttl=3)
    code = command.removeprefix("python3 -c '").removesuffix("'")
    assert code != command
    assert "'" not in code
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((target, 0))
        sock.settimeout(20)
        port = sock.getsockname()[1]
        short = code.replace(f",{probepacket.PORT})", f",{port})").replace("range(4000)", "[1]")
        subprocess.run([sys.executable, "-c", short], check=True, timeout=30)
        senders = set()
        for _ in range(probepacket.FLOWS):
            data, sender = sock.recvfrom(100)
            senders.add(sender[1])
            assert probepacket.way_of(data, MARK) == probepacket.CLIENT_WAY
    assert len(senders) == probepacket.FLOWS


# The partner


def conversation(
    ours: tuple[bytes, ...],
    theirs: tuple[bytes, ...],
    *,
    through: Callable[[int, bytes], bytes] = lambda _, line: line,
    patience: float = 30,
) -> list[object]:
    """Return what each end heard, or why it gave up; *through* changes lines from the caller.

    *patience*: after how many seconds that is, where one of them hears nothing.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    front = socket.create_server(("127.0.0.1", 0))
    heard: list[object] = []

    def called() -> None:
        sock, _ = listener.accept()
        with sock:
            try:
                link = probelink.answer(sock, theirs)
                words = link.hear(patience)
                link.say({"heard": words})
            except ProbeError as error:
                heard.append(str(error))

    def relay() -> None:
        near, _ = front.accept()
        far = socket.create_connection(listener.getsockname())

        def back() -> None:
            # Either end may be gone by then: that is what some of these stories are about.
            with suppress(OSError):
                while data := far.recv(4096):
                    near.sendall(data)
            with suppress(OSError):
                near.shutdown(socket.SHUT_WR)

        with near, far, near.makefile("rb") as lines:
            other = threading.Thread(target=back)
            other.start()
            with suppress(OSError):
                for number, line in enumerate(lines):
                    far.sendall(through(number, line))
            with suppress(OSError):
                far.shutdown(socket.SHUT_WR)
            other.join()

    threads = [threading.Thread(target=one, daemon=True) for one in (called, relay)]
    with listener, front:
        for thread in threads:
            thread.start()
        try:
            port = front.getsockname()[1]
            with probelink.call("127.0.0.1", port, ours, seconds=patience) as link:
                heard.append(talk(link, patience))
        except ProbeError as error:
            heard.append(str(error))
        for thread in threads:
            thread.join(40)
    return heard


def talk(link: Link, patience: float) -> object:
    """Return the partner's answer."""
    return link.ask({"hello": "n1"}, patience)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ((KEY,), (KEY,)),
        ((KEY, OLDER), (OLDER,)),
        ((OLDER,), (KEY, OLDER)),
        ((OLDER, KEY), (KEY, OLDER)),
    ],
)
def test_whoever_has_a_key_of_the_mesh_is_believed(
    ours: tuple[bytes, ...], theirs: tuple[bytes, ...]
) -> None:
    """Also while the key changes and one end has another one before it."""
    assert conversation(ours, theirs) == [{"heard": {"hello": "n1"}}]


def test_whoever_has_another_key_is_not() -> None:
    """Both ends say so, and nothing else was said."""
    heard = conversation((KEY,), (OLDER,))
    assert "the partner has another mesh key" in heard
    assert not any(isinstance(one, dict) for one in heard)


@pytest.mark.parametrize(
    "through",
    [
        pytest.param(lambda n, line: line.replace(b"n1", b"n2") if n == 2 else line, id="changed"),
        pytest.param(lambda n, line: line + line if n == 1 else line, id="said twice"),
        pytest.param(lambda n, line: b"" if n == 1 else line, id="left out"),
        pytest.param(lambda n, line: b"GET / HTTP/1.1\r\n" if n == 0 else line, id="a stranger"),
        pytest.param(lambda n, line: line * 100 if n == 0 else line, id="a flood"),
        pytest.param(
            lambda n, line: line.replace(line.split()[2], b"00" * 16) if n == 0 else line,
            id="another nonce",
        ),
    ],
)
def test_a_line_that_was_tampered_with_is_refused(through: Callable[[int, bytes], bytes]) -> None:
    """The code covers the connection, the direction, the number and the text."""
    heard = conversation((KEY,), (KEY,), through=through, patience=5)
    assert heard
    assert not any(isinstance(one, dict) for one in heard)


# The command


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param([], "--listen on one node", id="nothing"),
        pytest.param(["--listen", "--partner", "n2"], "--listen on one node", id="both"),
        pytest.param(["--address", "203.0.113.9"], "--listen on one node", id="no partner"),
        pytest.param(
            ["--address", "nonsense", "--partner", "n2"], "is not an IPv4 or IPv6", id="no address"
        ),
        pytest.param(
            ["--address", "203.0.113.9", "--partner", "n2"], "no such socket", id="no speaker"
        ),
        pytest.param(
            ["--listen", "--mesh-key-file", "/nowhere"],
            "/nowhere: the mesh key cannot",
            id="no key",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    tmp_path: Path, words: list[str], sentence: str
) -> None:
    """Exit status 2."""
    key = tmp_path / "key"
    key.write_text(KEY.decode())
    key.chmod(0o600)
    options = ["--mesh-key-file", str(key), "--run-dir", str(tmp_path)]
    result = asyncio.run(bgpctl("probe", *options, *words))
    assert (result.status, result.output) == (2, "")
    assert sentence in result.errors
    assert len(result.errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("prolonged", "times", "told"),
    [
        pytest.param(True, 2, "", id="it runs on"),
        pytest.param(False, 1, "", id="it has just begun"),
        pytest.param(False, 2, "gone for a moment", id="it ran out, and begins anew"),
    ],
)
def test_a_route_that_was_gone_for_a_moment_ends_the_probe(
    tmp_path: Path, times: int, told: str, *, prolonged: bool
) -> None:
    """Where the traffic went meanwhile says nothing about a lever."""
    trial = Answer(content={"peers": ["tor"], "prolonged": prolonged})
    speaker = {"status": Answer(content=SPEAKER), "trial": trial}

    def advertise() -> str:
        room = Room(tmp_path)
        try:
            for _ in range(times):
                room.advertise("me", {"address": "203.0.113.9"})
        except ProbeError as error:
            return str(error)
        return ""

    async def story() -> str:
        async with serving(tmp_path, agent={"status": Answer(content=NODE)}, speaker=speaker):
            return await asyncio.to_thread(advertise)

    said = asyncio.run(story())
    assert told in said
    assert bool(told) is bool(said)


def test_an_address_that_a_service_has_is_refused(tmp_path: Path) -> None:
    """Advertised here or not: its agent knows."""
    taken = next(iter(NODE.services))

    async def story() -> str:
        agent = {"status": Answer(content=NODE)}
        async with serving(tmp_path, agent=agent, speaker={"status": Answer(content=SPEAKER)}):
            room = await asyncio.to_thread(Room, tmp_path)
        with pytest.raises(ProbeError) as refused:
            room.refuse_used(Address(taken.partition("/")[0]))
        return str(refused.value)

    assert "belongs to Service" in asyncio.run(story())


def test_what_was_found_is_shown_beside_the_session() -> None:
    """In the wide table and in the explanation; without a probe both are as ever."""
    probed = replace(
        SPEAKER.sessions[0], lever=Lever.MED, lever_probed={"med": False, "asPath": True}
    )
    view = View(speaker=replace(SPEAKER, sessions=(probed,)), agent_asked=False)
    assert "med (moves nothing)" in status_table(view, now=0.0, wide=True)
    sentences = [fact.sentence for fact in explain(view, probed.peer, now=0.0)]
    assert any("lever med (moves nothing)" in sentence for sentence in sentences)
    before = View(speaker=SPEAKER, agent_asked=False)
    assert "(moves" not in status_table(before, now=0.0, wide=True)
