"""TCP MD5 keys from files: a mounted Secret changes without a word, so they are read again."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from bgpd.model.configuration import BGPPeer


class Passwords:
    """The password files that peers name, and what they hold."""

    def __init__(self, remembered: Mapping[str, str] | None = None) -> None:
        """Begin with what was *remembered*, until the files say something else."""
        self.contents: dict[str, str] = dict(remembered or {})

    def read(self, peers: Iterable[BGPPeer]) -> bool:
        """Read every file that *peers* name; return whether anything is different now.

        A file that cannot be read any more keeps its last content: a session that works must
        not be closed because a Secret is being replaced.
        """
        before = dict(self.contents)
        for peer in peers:
            if peer.password_file is None:
                continue
            try:
                text = Path(peer.password_file).read_text().strip()
            except (OSError, UnicodeDecodeError):
                continue
            if text:
                self.contents[peer.password_file] = text
        return self.contents != before
