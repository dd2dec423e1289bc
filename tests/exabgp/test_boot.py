"""Facts about the note that tells a restart from a boot."""

from pathlib import Path

import pytest

from bgpd.exabgp.boot import BOOT_ID, ran_in_this_boot


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0" * 37, id="zeros, as after a power loss"),
        pytest.param(b"\xff\xfe\x80", id="bytes that are no text"),
        pytest.param(b"of another boot\n", id="another boot"),
    ],
)
def test_a_note_that_says_nothing_of_this_boot_is_replaced(tmp_path: Path, content: bytes) -> None:
    """Whatever a disk made of the note, the speaker starts, and knows itself the next time."""
    (tmp_path / "boot").write_bytes(content)
    assert not ran_in_this_boot(tmp_path)
    assert ran_in_this_boot(tmp_path)
    assert (tmp_path / "boot").read_text() == BOOT_ID.read_text()


def test_a_note_that_can_be_neither_read_nor_written_is_none(tmp_path: Path) -> None:
    """A directory in its place prevents no start."""
    (tmp_path / "boot").mkdir()
    assert not ran_in_this_boot(tmp_path)
