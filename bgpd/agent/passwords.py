"""The keys of sessions and of BFD from files: a mounted Secret changes without a word.

So they are read again and again.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from bgpd.model.configuration import BFDProfile, BGPPeer


class Passwords:
    """The password files that peers and BFD profiles name, and what they hold."""

    def __init__(self, remembered: Mapping[str, str] | None = None) -> None:
        """Begin with what was *remembered*, until the files say something else."""
        self.contents: dict[str, str] = dict(remembered or {})

    def read(self, peers: Iterable[BGPPeer], profiles: Iterable[BFDProfile] = ()) -> bool:
        """Read every file that *peers* and *profiles* name; return whether anything is different.

        A file that cannot be read any more keeps its last content: a session that works must
        not be closed because a Secret is being replaced.
        """
        before = dict(self.contents)
        paths = [one.password_file for one in peers] + [one.password_file for one in profiles]
        for path in paths:
            if path is None:
                continue
            try:
                text = Path(path).read_text().strip()
            except (OSError, UnicodeDecodeError):
                continue
            if text:
                self.contents[path] = text
        return self.contents != before
