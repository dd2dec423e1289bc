"""Writing beside a loop: it waits for nothing, the newest wins, no reader sees half of a file."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgpd.disk import Write, Writer, at_once, carry_out

PATIENCE = 10.0


class Slow:
    """Content that is ready when somebody says so; it tells when the thread has begun."""

    def __init__(self, text: bytes) -> None:
        self.begun = threading.Event()
        self.ready = threading.Event()
        self._text = text

    def __call__(self) -> Iterator[bytes]:
        self.begun.set()
        assert self.ready.wait(PATIENCE)
        yield self._text


def write(path: Path, text: bytes, said: list[str] | None = None) -> Write:
    """Return the writing of *text*."""
    return Write(path=path, content=lambda: (text,), done=(said if said is not None else []).append)


def test_the_loop_turns_while_the_disk_hangs_and_the_newest_wins(tmp_path: Path) -> None:
    """One write is under way; of those that wait for the same file only the last is done."""
    path = tmp_path / "file"
    said: list[str] = []
    skipped: list[str] = []
    slow = Slow(b"first")

    async def story() -> None:
        writer = Writer()
        writer.submit(Write(path=path, content=slow, done=said.append))
        await asyncio.to_thread(slow.begun.wait, PATIENCE)
        writer.submit(write(path, b"second", skipped))
        writer.submit(write(path, b"third", said))
        assert writer.busy
        slow.ready.set()
        assert await writer.close(PATIENCE)
        assert not writer.busy

    asyncio.run(story())
    assert path.read_bytes() == b"third"
    assert said == ["", ""]
    assert skipped == []


def test_a_disk_that_hangs_does_not_keep_anybody_from_leaving(tmp_path: Path) -> None:
    """The last wait has a bound, and says that it ended in vain."""
    slow = Slow(b"text")

    async def story() -> bool:
        writer = Writer()
        writer.submit(Write(path=tmp_path / "file", content=slow, done=lambda _: None))
        return await writer.close(0.01)

    assert asyncio.run(story()) is False
    slow.ready.set()


def test_files_do_not_overtake_each_other(tmp_path: Path) -> None:
    """Two files are written in the order in which they were handed over."""
    order: list[str] = []

    async def story() -> None:
        writer = Writer(finished=lambda: order.append("finished"))
        one, two = tmp_path / "one", tmp_path / "two"
        writer.submit(Write(path=one, content=lambda: (b"x",), done=lambda _: order.append("one")))
        writer.submit(Write(path=two, content=lambda: (b"x",), done=lambda _: order.append("two")))
        assert await writer.close(PATIENCE)

    asyncio.run(story())
    assert order == ["one", "finished", "two", "finished"]


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        pytest.param(lambda _: None, "No such file or directory", id="no directory"),
        pytest.param(lambda path: path.write_text(""), "Not a directory", id="a file in its place"),
    ],
)
def test_an_error_is_a_sentence_and_no_end(tmp_path: Path, prepare: object, sentence: str) -> None:
    """The thread lives on, and the next write works."""
    parent = tmp_path / "state"
    assert callable(prepare)
    prepare(parent)
    said: list[str] = []

    async def story() -> None:
        writer = Writer()
        writer.submit(write(parent / "file", b"x", said))
        assert await writer.close(PATIENCE)

    asyncio.run(story())
    assert said == [sentence]


def test_what_cannot_be_encoded_is_an_error_like_any_other(tmp_path: Path) -> None:
    """A mistake of ours costs one file, and keeps the one that was there."""

    def content() -> Iterator[bytes]:
        yield b"half"
        raise TypeError("no such type")

    path = tmp_path / "file"
    path.write_bytes(b"whole")
    said: list[str] = []
    at_once(Write(path=path, content=content, done=said.append))
    assert said == ["no such type"]
    assert path.read_bytes() == b"whole"


def test_the_thread_rests_between_pieces(tmp_path: Path) -> None:
    """Whoever writes in many pieces leaves the interpreter to the loop after each but the last."""
    path = tmp_path / "file"
    seen: list[str] = []

    def content() -> Iterator[bytes]:
        for text in (b"a", b"b", b"c"):
            seen.append(text.decode())
            yield text

    one = Write(path=path, content=content, done=lambda _: None)
    assert carry_out(one, lambda: seen.append("rest")) == ""
    assert path.read_bytes() == b"abc"
    assert seen == ["a", "b", "rest", "c", "rest"]
