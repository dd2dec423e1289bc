"""A file is read whole or not at all."""

import os
import threading
import time
from pathlib import Path

import pytest

from bgpd.kube.file import STEADY_SECONDS, BusyError, read_whole


def test_a_file_that_nobody_writes_is_read(tmp_path: Path) -> None:
    """Also a second time: the lease is given back."""
    path = tmp_path / "f"
    path.write_bytes(b"x" * 3_000_000)
    assert len(read_whole(path)) == len(read_whole(path)) == 3_000_000
    path.write_bytes(b"y")
    assert read_whole(path) == b"y"


def test_a_file_that_is_missing_is_an_ordinary_error(tmp_path: Path) -> None:
    """The caller decides what that means."""
    with pytest.raises(FileNotFoundError):
        read_whole(tmp_path / "f")


def test_a_file_on_a_file_system_without_leases_is_read() -> None:
    """Not every file system can say who writes."""
    assert read_whole(Path("/proc/version")).startswith(b"Linux")


def test_a_file_that_is_open_but_steady_is_read_in_the_end(tmp_path: Path) -> None:
    """Some network file systems refuse every lease; that must not keep an agent from starting."""
    path = tmp_path / "f"
    with path.open("wb", buffering=0) as file:
        file.write(b"half")
        long_ago = time.time() - 2 * STEADY_SECONDS
        os.utime(path, (long_ago, long_ago))
        assert read_whole(path) == b"half"


def test_a_reader_beside_a_hasty_writer_sees_whole_content_only(tmp_path: Path) -> None:
    """Whatever is read is one of the contents that were written, and no signal ends the process."""
    path = tmp_path / "f"
    contents = [bytes([letter]) * 200_000 for letter in b"abc"]
    path.write_bytes(contents[0])
    done = threading.Event()

    def write() -> None:
        for round_ in range(300):
            path.write_bytes(contents[round_ % 3])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    read = []
    try:
        while not done.is_set():
            try:
                read.append(read_whole(path))
            except BusyError:
                continue
    finally:
        writer.join()
    assert set(read) <= set(contents)
    assert read_whole(path) == contents[299 % 3]
