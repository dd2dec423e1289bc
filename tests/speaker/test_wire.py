"""The mesh's socket and keys on loopback: a move that fails loses nothing, a key is followed."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from bgpd.mesh.keys import load
from bgpd.mesh.seal import Refusal, Sealer
from bgpd.model.member import Member, NodeName
from bgpd.model.prefix import Address
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.state import KeptMesh
from bgpd.speaker.wire import MeshWire
from tests.speaker.world import World

HERE, THERE, NOWHERE = Address("127.0.7.1"), Address("127.0.7.2"), Address("192.0.2.77")


def free_port() -> int:
    """Return a UDP port that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HERE, 0))
        port: int = probe.getsockname()[1]
        return port


PORT = free_port()


def desired(address: Address | None, *, listed: bool = True, alone: bool = False) -> DesiredState:
    """Return a state in which our mesh address is *address*."""
    own = Member(name=NodeName("n1"), address=address or HERE, port=PORT)
    other = Member(name=NodeName("n2"), address=THERE, port=PORT)
    members: tuple[Member, ...] = (own, other) if listed else (other,)
    if alone:
        members = (own,)
    whole = World(1).desired("n1")
    return DesiredState.of(
        msgspec.structs.replace(whole, members=members, mesh_address=address, peers=())
    )


def send(address: Address) -> None:
    """Send one datagram to *address*."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", (address, PORT))


async def heard(wire: MeshWire, address: Address) -> bool:
    """Send one datagram to *address*; return whether *wire* receives it."""
    before = wire.counters["received"]
    send(address)
    for _ in range(500):
        wire.handle_timer()
        if wire.counters["received"] > before:
            return True
        await asyncio.sleep(0.01)
    return False


def wired(directory: Path, story: Callable[[MeshWire], Awaitable[None]]) -> None:
    """Let *story* happen to a wire."""

    async def live() -> None:
        key = directory / "key"
        if not key.exists():
            key.write_text("0123456789abcdef0123456789abcdef\n")
        wire = MeshWire(
            node=NodeName("n1"),
            key_file=key,
            kept=KeptMesh(),
            log=logging.getLogger("wire"),
            stirred=lambda: None,
        )
        try:
            await story(wire)
        finally:
            wire.close()

    asyncio.run(live())


def test_the_old_address_is_kept_until_the_new_one_works(tmp_path: Path) -> None:
    """An address that is not on this host yet must not make the others think that we died."""

    async def story(wire: MeshWire) -> None:
        wire.make_mesh(desired(HERE), 0.0)
        wire.listen(desired(HERE), 1.0)
        assert await heard(wire, HERE)
        wire.listen(desired(NOWHERE), 2.0)
        assert await heard(wire, HERE)
        assert [(c.type, c.status) for c in wire.conditions()] == [("MeshNotListening", True)]
        wire.listen(desired(THERE), 3.0)
        send(HERE)
        assert await heard(wire, THERE)
        assert wire.counters["received"] == 3, "the old address is left"
        assert wire.conditions() == ()

    wired(tmp_path, story)


def test_a_list_without_us_moves_nothing(tmp_path: Path) -> None:
    """Our port is what the list last said it is."""

    async def story(wire: MeshWire) -> None:
        wire.listen(desired(HERE), 1.0)
        wire.listen(desired(HERE, listed=False), 2.0)
        assert await heard(wire, HERE)

    wired(tmp_path, story)


def test_a_key_file_that_went_away_is_a_condition_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The keys that were read stay in force; a new file is read without a restart."""
    key = tmp_path / "key"

    async def story(wire: MeshWire) -> None:
        wire.make_mesh(desired(HERE), 0.0)
        text = key.read_text()
        key.unlink()
        for _ in range(3):
            wire._keys_due = 0.0
            wire.handle_timer()
        (condition,) = wire.conditions()
        assert (condition.type, condition.status) == ("MeshKeysUnreadable", True)
        assert str(key) in condition.message
        (line,) = (one.getMessage() for one in caplog.records)  # said once
        assert line.startswith("mesh_keys_refused reason=")
        key.write_text(text)
        wire._keys_due = 0.0
        wire.handle_timer()
        assert wire.conditions() == ()

    wired(tmp_path, story)


def test_a_reflex_that_starts_onto_a_bad_key_file_lives_and_is_not_heard(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its routes need it; a person mends the file, and it is read without a restart."""
    key = tmp_path / "key"
    key.write_text("short\n")

    async def story(wire: MeshWire) -> None:
        (condition,) = wire.conditions()
        assert condition.type == "MeshKeysUnreadable"
        mesh = wire.make_mesh(desired(HERE), 0.0)
        mesh.handle_timer(1.0)
        (sealed, *_) = (one.payload for one in mesh.datagrams_to_send())
        key.write_text("0123456789abcdef0123456789abcdef\n")
        others = Sealer(keys=load(key), cluster_uid=desired(HERE).cluster_uid)
        assert isinstance(others.open(sealed), Refusal)
        wire._keys_due = 0.0
        wire.handle_timer()
        assert wire.conditions() == ()
        mesh.handle_timer(2.0)
        (sealed, *_) = (one.payload for one in mesh.datagrams_to_send())
        assert not isinstance(others.open(sealed), Refusal)
        said = [one.getMessage() for one in caplog.records]
        (line,) = [one for one in said if "refused" in one]
        assert line.startswith("mesh_keys_refused reason=")

    wired(tmp_path, story)


def test_a_node_without_an_address_says_so(tmp_path: Path) -> None:
    """Nothing fails and nobody hears us: only a condition can tell."""

    async def story(wire: MeshWire) -> None:
        whole = msgspec.structs.replace(
            World(2).desired("n1"), mesh_address=None, peers=(), advertisements=()
        )
        wire.listen(DesiredState.of(whole), 1.0)
        assert [(c.type, c.status) for c in wire.conditions()] == [("MeshNotListening", True)]
        wire.listen(desired(HERE), 2.0)
        assert wire.conditions() == ()

    wired(tmp_path, story)


def test_a_move_that_is_taken_back_is_no_problem_any_more(tmp_path: Path) -> None:
    """The address that could not be had is wanted no more: nothing is wrong."""

    async def story(wire: MeshWire) -> None:
        wire.listen(desired(HERE), 1.0)
        wire.listen(desired(NOWHERE), 2.0)
        assert len(wire.conditions()) == 1
        wire.listen(desired(HERE), 3.0)
        assert wire.conditions() == ()
        assert await heard(wire, HERE)

    wired(tmp_path, story)


def test_a_node_that_is_alone_needs_no_address(tmp_path: Path) -> None:
    """The condition goes with the members that could not hear us."""

    async def story(wire: MeshWire) -> None:
        wire.listen(desired(None), 1.0)
        assert len(wire.conditions()) == 1
        wire.listen(desired(None, alone=True), 2.0)
        assert wire.conditions() == ()

    wired(tmp_path, story)


def test_an_address_that_is_unknown_again_is_not_tried_for_ever(tmp_path: Path) -> None:
    """No retry is due any more, and what is bound stays bound."""

    async def story(wire: MeshWire) -> None:
        wire.make_mesh(desired(HERE), 0.0)
        wire.listen(desired(HERE), 1.0)
        wire.listen(desired(NOWHERE), 2.0)
        mesh = wire.mesh
        assert mesh is not None
        mesh.handle_timer(1000.0)
        assert wire.deadline() != mesh.deadline(), "the address is tried again soon"
        wire.listen(desired(None), 3.0)
        assert wire.deadline() == mesh.deadline()
        assert wire.conditions() == ()
        assert await heard(wire, HERE)

    wired(tmp_path, story)
