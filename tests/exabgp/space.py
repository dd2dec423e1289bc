"""A network namespace of our own, and patience with what happens in it.

Everything inside runs below a `cat` process that is the first of its pid namespace and ends when
this process does, however it ends: nothing is left behind.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.lacking import lacking, need_root

ROOT = Path(__file__).parents[2]

Found = TypeVar("Found")


def need(*programs: str, unproven: str) -> None:
    """Skip the test, or fail it where CI=true, unless it can run."""
    missing = [name for name in programs if not shutil.which(name)]
    if missing:
        lacking(f"not installed: {', '.join(missing)}", unproven=unproven)
    need_root(unproven=unproven)


def eventually(look: Callable[[], Found | None], what: str, seconds: float = 30.0) -> Found:
    """Return what *look* finds, looking until it does; fail after *seconds*."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.02)


class Space:
    """A network, mount and pid namespace."""

    def __init__(self) -> None:
        """Make it."""
        self.holder = subprocess.Popen(
            [
                "unshare",
                "--net",
                "--mount",
                "--pid",
                "--fork",
                "--mount-proc",
                "--kill-child",
                "cat",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        children = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children")
        self.pid = eventually(children.read_text, "namespaces").split()[0]
        # unshare makes its child before the namespaces' links can be seen through it, and the child
        # mounts a /proc of its own before it becomes `cat`.
        own = Path("/proc/self/ns/net").readlink()
        made = Path(f"/proc/{self.pid}/ns/net")
        eventually(lambda: made.readlink() != own, "network namespace")
        name = Path(f"/proc/{self.pid}/comm")
        eventually(lambda: name.read_text() == "cat\n", "the namespace's own /proc")
        self.run("ip", "link", "set", "lo", "up")

    def wrap(self, *arguments: str) -> list[str]:
        """Return the command line that runs *arguments* inside."""
        return ["nsenter", "-t", self.pid, "-n", "-m", "-p", "--", *arguments]

    def run(self, *arguments: str, check: bool = True) -> str:
        """Run a command inside, return its output."""
        done = subprocess.run(self.wrap(*arguments), capture_output=True, text=True, check=False)
        if check and done.returncode:
            pytest.fail(f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        """Start a command inside, its output going to *log*."""
        # Entering a mount namespace loses the working directory.
        here = {**os.environ, "PYTHONPATH": str(ROOT)}
        with log.open("ab") as file:
            return subprocess.Popen(
                self.wrap(*arguments), stdout=file, stderr=file, cwd=ROOT, env=here
            )

    def close(self) -> None:
        """End everything inside."""
        self.holder.kill()
        self.holder.wait()
        assert self.holder.stdin
        self.holder.stdin.close()
