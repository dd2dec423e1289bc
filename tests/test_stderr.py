"""Log lines never wait: whole, in order, and dropped with a count when nobody reads."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bgpd import stderr
from bgpd.stderr import LineWriter

MANY = 3 * stderr.LIMIT // 100


@contextmanager
def piped() -> Iterator[tuple[LineWriter, int]]:
    """Yield a writer to a pipe, and the end that a reader may read."""
    source, sink = os.pipe()
    try:
        yield LineWriter(sink), source
    finally:
        os.close(source)  # the writer's thread may sit in a write, and holds the other end


def read_until(source: int, end: bytes) -> bytes:
    """Read until the last line holds *end*."""
    found = b""
    while end not in found.rpartition(b"\n")[0].rpartition(b"\n")[2]:
        found += os.read(source, 1 << 16)
    return found


def test_lines_arrive_whole_and_in_order() -> None:
    """However they are cut when written."""
    with piped() as (writer, source):
        text = "".join(f"line {number} with an ü\n" for number in range(1000))
        for cut in range(0, len(text), 7):
            writer.write(text[cut : cut + 7])
        assert read_until(source, b"line 999").decode() == text
        writer.write("no line's end")
        writer.drain(5.0)
        assert os.read(source, 100) == b"no line's end\n"


def test_a_reader_that_stalls_costs_lines_and_never_time() -> None:
    """What did not fit is counted, and the count is the next thing that is written."""
    with piped() as (writer, source):
        for number in range(MANY):
            print(f"{number:0>99}", file=writer)
        assert 0 < writer.dropped < MANY
        lost = writer.dropped
        lines = read_until(source, b"dropped").decode().splitlines()
        # The first lines leave room while the last are written, so the gap is anywhere.
        kept = [int(line) for line in lines[:-1]]
        assert kept == sorted(set(kept))
        assert len(kept) == MANY - lost
        assert lines[-1] == f"bgpd: {lost} log lines dropped: nobody read stderr"
        writer.write("after\n")
        assert read_until(source, b"after") == b"after\n"


def test_memory_is_bounded_without_a_single_line_end() -> None:
    """A line is cut at a limit."""
    with piped() as (writer, source):
        for _ in range(100):
            writer.write("x" * 1000)
        writer.drain(0.0)
        assert os.read(source, 1 << 20).startswith(b"xxx")
        assert writer.write("") == 0


def test_a_reader_that_is_gone_harms_nothing() -> None:
    """Lines are counted as dropped; no error reaches who writes them."""
    with piped() as (writer, source):
        writer.write("one\n")
        assert read_until(source, b"one") == b"one\n"
    writer.write("two\n")
    deadline = time.monotonic() + 10.0
    while not writer.dropped and time.monotonic() < deadline:
        time.sleep(0.01)
    assert writer.dropped


def test_a_process_ends_though_nobody_reads_what_it_says() -> None:
    """Also with a traceback on its way; without the writer it would hang in the write."""
    program = f"""
import sys
from bgpd.telemetry import logs
from bgpd import stderr
logger = logs.start("test", "info")
for _ in range({MANY}):
    logger.info("x" * 99)
assert stderr.dropped()
raise RuntimeError("the end")
"""
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) as process:
        assert process.wait(timeout=30.0) == 1


def test_the_last_words_of_a_process_are_written() -> None:
    """Leaving waits for a reader that reads."""
    program = """
from bgpd.telemetry import logs
logs.write(logs.start("test", "info"), "error", "last_words", [("number", 7)])
raise SystemExit(3)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 3
    assert done.stderr.endswith(b"error test last_words number=7\n")
