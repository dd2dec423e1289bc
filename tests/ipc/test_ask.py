"""Asking: what answers is heard, what hangs costs its time once, and why is said in a sentence."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bgpd.ipc.ask import ask, begin, wait
from bgpd.ipc.message import MAX_LINE, Answer, Ask, encode
from bgpd.model.errors import BgpdError, TransientError

PATIENCE = 50.0
STATUS = Ask(question="status")
Talk = Callable[[socket.socket], object]


@contextmanager
def talking(path: Path, talk: Talk, *, deaf: bool = False) -> Iterator[None]:
    """Listen on *path* and *talk* to the first who connects; *deaf*, without having heard him."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        server.bind(str(path))
        server.listen(8)

        def one() -> None:
            connection, _ = server.accept()
            with connection:
                if not deaf:
                    connection.recv(65536)
                talk(connection)

        thread = threading.Thread(target=one)
        thread.start()
        stack.callback(thread.join)
        yield


@contextmanager
def hanging(path: Path, *, backlog: int = 8) -> Iterator[socket.socket]:
    """Listen on *path* and do nothing else, as a stopped process does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen(backlog)
        yield server


def test_all_that_hang_cost_one_timeout(tmp_path: Path) -> None:
    """They are waited for side by side: so many that no pause of the machine hides it."""
    with ExitStack() as stack:
        paths = [tmp_path / str(number) for number in range(20)]
        for path in paths:
            stack.enter_context(hanging(path))
        began = time.monotonic()
        asked = [begin(path, STATUS, timeout=1.0) for path in paths]
        wait(asked)
        took = time.monotonic() - began
    assert 1.0 <= took < 15.0, "less than one after the other"
    for one in asked:
        with pytest.raises(TransientError, match="no answer within 1 s"):
            one.answer()


def test_an_answer_is_heard_beside_one_that_hangs(tmp_path: Path) -> None:
    """Also one so long that it is written while it is read."""
    long = Answer(content="x" * 5_000_000)
    with hanging(tmp_path / "a"), talking(tmp_path / "b", lambda to: to.sendall(encode(long))):
        asked = [
            begin(tmp_path / name, STATUS, timeout=seconds)
            for name, seconds in (("a", 2.0), ("b", PATIENCE))
        ]
        wait(asked)
        assert asked[1].answer() == long
        with pytest.raises(TransientError):
            asked[0].answer()


def test_what_is_not_understood_before_the_answer_is_passed_over(tmp_path: Path) -> None:
    """A newer speaker may greet with words that we do not know."""
    words = b'{"kind": "fanfare"}\n' + encode(Answer(content=1))
    with talking(tmp_path / "a", lambda to: to.sendall(words)):
        assert ask(tmp_path / "a", STATUS, timeout=PATIENCE).content == 1


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        pytest.param(lambda _: None, "closed before it answered", id="it hangs up"),
        pytest.param(
            lambda to: to.sendall(b"nonsense\n"), "message refused", id="it speaks nonsense"
        ),
    ],
)
def test_no_answer_is_a_sentence(tmp_path: Path, talk: Talk, why: str) -> None:
    """With the path of the socket."""
    with talking(tmp_path / "a", talk), pytest.raises(BgpdError, match=why):
        ask(tmp_path / "a", STATUS, timeout=PATIENCE)


def test_one_that_hangs_up_unheard_is_the_same_sentence(tmp_path: Path) -> None:
    """Whether we were still writing (EPIPE) or had written (ECONNRESET)."""
    with (
        talking(tmp_path / "a", lambda _: None, deaf=True),
        pytest.raises(TransientError, match="closed before it answered"),
    ):
        ask(tmp_path / "a", STATUS, timeout=PATIENCE)


def test_what_was_said_before_the_end_is_heard(tmp_path: Path) -> None:
    """Also by one that is still writing his question."""
    with talking(tmp_path / "a", lambda to: to.sendall(encode(Answer(content=1))), deaf=True):
        assert ask(tmp_path / "a", STATUS, timeout=PATIENCE).content == 1


def test_an_answer_without_an_end_is_given_up(tmp_path: Path) -> None:
    """Memory has an end, and so has a line."""
    piece = b"x" * (1 << 20)

    def flood(to: socket.socket) -> None:
        try:
            for _ in range(MAX_LINE // len(piece) + 2):
                to.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            # Which of them it is depends on whether we waited for room when he hung up.
            return

    with (
        talking(tmp_path / "a", flood),
        pytest.raises(TransientError, match="longer than"),
    ):
        ask(tmp_path / "a", STATUS, timeout=PATIENCE)


def test_one_that_takes_in_nobody_is_said_at_once(tmp_path: Path) -> None:
    """The queue of a process that hangs is full after some who asked (unix(7))."""
    with hanging(tmp_path / "a", backlog=0), ExitStack() as stack:
        for _ in range(2):
            one = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            one.setblocking(False)
            try:
                one.connect(str(tmp_path / "a"))
            except BlockingIOError:
                break
        with pytest.raises(TransientError, match="takes in nobody"):
            ask(tmp_path / "a", STATUS, timeout=PATIENCE)
