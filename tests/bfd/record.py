"""Record what real routers send, as fixtures: `python -m tests.bfd.record` (root).

Of each story the packets of the router until the session is up and a little longer, then those
after it changed its intervals, then those after we said AdminDown.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bfd.rig import HERE, Bfd
from tests.bfd.stories import STORIES, Story

CAPTURES = Path(__file__).parent / "captures"
_KEPT = 40
"""Packets of one story, at most."""


def record(story: Story) -> list[str]:
    """Return the lines of the router in *story*."""
    with (
        tempfile.TemporaryDirectory() as name,
        Bfd(Path(name)) as lab,
        subprocess.Popen(
            lab.router_space.wrap(sys.executable, "-m", "tests.bfd.sniff", "downlink"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=HERE,
            text=True,
        ) as sniffer,
    ):
        time.sleep(0.5)
        story.start(lab)
        node = lab.node(story.wanted)
        node.until("Up", story.wanted.address)
        time.sleep(0.3)
        node.tell(goodbye=True)
        time.sleep(0.3)
        assert sniffer.stdin
        assert sniffer.stdout
        sniffer.stdin.close()
        lines = sniffer.stdout.read().splitlines()
    theirs = [line for line in lines if line.startswith(f"{story.wanted.address} ")]
    return theirs if len(theirs) <= _KEPT else theirs[: _KEPT // 2] + theirs[-_KEPT // 2 :]


def main() -> None:
    """Write a file for each story."""
    CAPTURES.mkdir(exist_ok=True)
    for story in STORIES:
        if sys.argv[1:] and story.name not in sys.argv[1:]:
            continue
        lines = record(story)
        (CAPTURES / f"{story.name}.txt").write_text("\n".join(lines) + "\n")
        print(f"{story.name}: {len(lines)} packets")


if __name__ == "__main__":
    main()
