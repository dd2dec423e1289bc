"""Facts about who can reach a server, and about what a crash leaves behind."""

import asyncio
import grp
import os
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgpd.ipc.message import Applied, Hello, encode
from bgpd.ipc.server import Server
from bgpd.model.errors import ConfigError
from tests.ipc.fakes import Recorder, until
from tests.lacking import need_root

STRANGER = 12345
"""A user and group that nobody has."""

KNOCK = """
import os, socket, sys
path, uid, gid, groups = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
os.setgroups([int(group) for group in groups.split(",") if group])
os.setresgid(gid, gid, gid)
os.setresuid(uid, uid, uid)
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(20)
sock.connect(path)
try:
    sock.sendall(b'{"kind":"hello","version":1,"role":"ctl"}\\n')
    sys.exit(0 if sock.recv(100) else 1)
except OSError:
    sys.exit(1)
"""


async def opened(path: Path) -> None:
    """Open a server on *path* and close it again."""
    async with Server(path, Recorder(), program="bgpd speaker"):
        pass


async def knock(path: Path, *, uid: int, gid: int, groups: str = "") -> int | None:
    """Say hello as another user; return 0 when welcomed and 1 when refused."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KNOCK, str(path), str(uid), str(gid), groups
    )
    return await process.wait()


@pytest.fixture
def public() -> Iterator[Path]:
    """Return a directory that everybody may enter, which pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="bgpd-test-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def test_the_socket_is_for_its_owner_and_group_alone(tmp_path: Path) -> None:
    """The directory and the file carry the modes that the documentation promises."""

    async def story() -> None:
        path = tmp_path / "run" / "bgpd" / "speaker.sock"
        async with Server(path, Recorder(), group=os.getegid()):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750
            assert path.stat().st_gid == os.getegid()

    asyncio.run(story())


def test_a_member_of_the_group_can_enter_the_directory(tmp_path: Path) -> None:
    """A directory that we make is open to the socket's group; one that is there is left alone."""
    need_root(unproven="which other users a socket lets in")

    async def story(path: Path) -> int:
        async with Server(path, Recorder(), group=STRANGER):
            return path.parent.stat().st_gid

    assert asyncio.run(story(tmp_path / "new" / "speaker.sock")) == STRANGER
    assert asyncio.run(story(tmp_path / "speaker.sock")) == os.getegid()


def test_a_group_may_be_named(tmp_path: Path) -> None:
    """A group is given by name or by number."""

    async def story(group: str) -> int:
        async with Server(tmp_path / "speaker.sock", Recorder(), group=group) as server:
            return server.path.stat().st_gid

    gid = os.getegid()
    assert asyncio.run(story(grp.getgrgid(gid).gr_name)) == gid
    assert asyncio.run(story(str(gid))) == gid


def test_a_server_leaves_nothing_behind(tmp_path: Path) -> None:
    """After the end the directory is as empty as before."""
    asyncio.run(opened(tmp_path / "speaker.sock"))
    assert list(tmp_path.iterdir()) == []


def test_a_server_does_not_remove_its_successor(tmp_path: Path) -> None:
    """An old process that ends late must not unlink the new one's socket."""

    async def story() -> None:
        path = tmp_path / "speaker.sock"
        async with Server(path, Recorder()):
            path.unlink()
            async with Server(path, Recorder()) as successor:
                inode = path.stat().st_ino
                assert successor.path.exists()
                await asyncio.sleep(0)
                assert path.stat().st_ino == inode

    async def overlapping() -> None:
        path = tmp_path / "speaker.sock"
        old, new = Server(path, Recorder()), Server(path, Recorder())
        await old.open()
        path.unlink()
        await new.open()
        old.close()
        assert path.exists()
        new.close()
        assert not path.exists()

    asyncio.run(story())
    asyncio.run(overlapping())


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    """What a killed process left behind does not keep the next one from starting."""
    path = tmp_path / "speaker.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    assert path.is_socket()
    asyncio.run(opened(path))


def test_a_second_server_is_refused_by_name_and_pid(tmp_path: Path) -> None:
    """Two speakers on one node would fight for its sessions; the first one keeps them."""

    async def story() -> None:
        path = tmp_path / "speaker.sock"
        async with Server(path, Recorder(), program="bgpd speaker"):
            with pytest.raises(ConfigError, match=rf"another bgpd speaker .*pid {os.getpid()}"):
                await opened(path)
            _, writer = await asyncio.open_unix_connection(str(path))
            writer.close()
            await writer.wait_closed()

    asyncio.run(story())


def test_a_listener_that_hangs_is_still_a_listener(tmp_path: Path) -> None:
    """A stopped process with a full backlog is running, so its socket is not taken."""
    path = tmp_path / "speaker.sock"
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(path))
        hung.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(2)]
        try:
            for client in waiting:
                client.setblocking(False)
                client.connect_ex(str(path))
            with pytest.raises(ConfigError, match="another bgpd speaker is running"):
                asyncio.run(opened(path))
        finally:
            for client in waiting:
                client.close()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("file", "is no socket", id="a file is in the way"),
        pytest.param("file/speaker.sock", "cannot listen here", id="a directory is none"),
        pytest.param("x" * 120, "at most 103 bytes", id="the path is too long for the kernel"),
    ],
)
def test_a_path_that_cannot_be_used_is_named(tmp_path: Path, name: str, words: str) -> None:
    """The error names the path and says what is wrong with it; a file is not overwritten."""
    (tmp_path / "file").write_text("precious")
    with pytest.raises(ConfigError, match=words) as caught:
        asyncio.run(opened(tmp_path / name))
    assert str(tmp_path / name) in str(caught.value)
    assert caught.value.exit_code == 78
    assert (tmp_path / "file").read_text() == "precious"


def test_a_group_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """A typing error in the group is a sentence, not a socket that nobody can use."""

    async def story() -> None:
        await Server(tmp_path / "speaker.sock", Recorder(), group="no-such-group").open()

    with pytest.raises(ConfigError, match="'no-such-group' does not exist"):
        asyncio.run(story())


def test_the_kernel_says_who_connected(tmp_path: Path) -> None:
    """The handler can tell processes apart without believing what they say."""

    async def story() -> None:
        handler = Recorder()
        async with Server(tmp_path / "speaker.sock", handler) as server:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(server.path))
                await until(lambda: handler.connections)
                assert handler.connections[0].pid == os.getpid()
                assert handler.connections[0].uid == os.geteuid()
                assert server.connections == {handler.connections[0]}
            await until(lambda: handler.reasons)
            assert server.connections == set()
            assert server.counters == {"accepted": 1}

    asyncio.run(story())


def test_a_stranger_is_refused_even_where_the_file_lets_him_in(public: Path) -> None:
    """Permissions that somebody opened up do not open the speaker."""
    need_root(unproven="which other users a socket lets in")

    async def story() -> None:
        handler = Recorder()
        async with Server(public / "speaker.sock", handler, group=STRANGER + 1) as server:
            server.path.chmod(0o777)
            assert await knock(server.path, uid=STRANGER, gid=STRANGER) == 1
            assert server.counters == {"refused_credentials": 1}
            assert handler.connections == []
            assert handler.reasons == []

    asyncio.run(story())


@pytest.mark.parametrize(
    ("gid", "groups"),
    [
        pytest.param(STRANGER + 1, "", id="as primary group"),
        pytest.param(STRANGER, f"1,{STRANGER + 1}", id="as one of several groups"),
    ],
)
def test_a_member_of_the_sockets_group_is_served(public: Path, gid: int, groups: str) -> None:
    """Membership in the socket's group is enough."""
    need_root(unproven="which other users a socket lets in")

    async def story() -> None:
        async with Server(public / "speaker.sock", Recorder(), group=STRANGER + 1) as server:
            server.path.chmod(0o777)
            assert await knock(server.path, uid=STRANGER, gid=gid, groups=groups) == 0
            assert server.counters == {"accepted": 1}

    asyncio.run(story())


def test_one_peer_that_breaks_the_protocol_does_not_touch_another(tmp_path: Path) -> None:
    """Connections share counters and nothing else."""

    async def story() -> None:
        handler = Recorder()
        async with Server(tmp_path / "speaker.sock", handler) as server:
            with socket.socket(socket.AF_UNIX) as good, socket.socket(socket.AF_UNIX) as bad:
                good.connect(str(server.path))
                bad.connect(str(server.path))
                bad.sendall(b"nonsense\n")
                await until(lambda: handler.reasons)
                good.sendall(encode(Hello(version=1, role="ctl")) + encode(Applied(sequence=1)))
                await until(lambda: len(handler.messages) == 2)
                assert server.counters == {"accepted": 2, "malformed": 1}

    asyncio.run(story())
