"""What of this node's health outlives the agent, and whether it still holds: a small file.

It belongs to one boot of the kernel. In the same boot the next agent goes on where we ended: what
was withheld stays so until it is asked again, what was advertised goes on. After another boot only
this is left of it: which parts of the node were there. Where nobody can tell, it is the same boot,
because what is unknown must not withdraw anything.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from bgpd.disk import Write, at_once
from bgpd.model.prefix import Prefix
from bgpd.policy.startup import Boot

FILE_NAME: Final = "health.json"
VERSION: Final = 1
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Health(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the file says."""

    version: int = VERSION
    origin: str = ""
    boot: str = ""
    opened: bool = False
    """Whether routes were advertised in this boot at all."""
    heard: tuple[str, ...] = ()
    """The parts of the node (kubelet, kube-proxy) that were healthy in this boot."""
    missed: tuple[str, ...] = ()
    """Those that were healthy in the boot before it only."""
    doubted: dict[str, str] = {}
    """The parts that make the node doubtful, each with its last sentence."""
    busy: tuple[Prefix, ...] | None = None
    """What a drain under way waits for; None: it waits for no connections."""
    withheld: dict[str, dict[str, str]] = {}
    """Service -> check -> last answer, of what is withheld because of it."""


class Recalled(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent begins with."""

    boot: Boot
    heard: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    doubted: dict[str, str] = {}
    busy: tuple[Prefix, ...] | None = None
    withheld: dict[str, dict[str, str]] = {}


class BootMemory:
    """The file in the state directory; *problems* collects what the log should say."""

    def __init__(
        self,
        directory: Path | None,
        *,
        origin: str,
        boot: str,
        submit: Callable[[Write], None] = at_once,
    ) -> None:
        """Keep what comes from *origin* in the boot with the ID *boot*; empty: not known."""
        self.problems: list[str] = []
        self.boot = boot
        self._path = None if directory is None else directory / FILE_NAME
        self._origin = origin
        self._submit = submit
        self._written: Health | None = None
        self._trouble = ""

    def recall(self, *, known: bool) -> Recalled:
        """Return what holds; *known*: an agent was here before, whether it left this file or not.

        An agent that wrote no such file yet may have routes on the wire.
        """
        found = self._read()
        if isinstance(found, str):
            self.problems.append(found)
            return Recalled(boot=Boot.SAME)
        if found is None:
            first = not known and self._path is not None
            return Recalled(boot=Boot.FIRST if first else Boot.SAME)
        same = not (found.boot and self.boot) or found.boot == self.boot
        if same and found.opened:
            return Recalled(
                boot=Boot.SAME,
                heard=found.heard,
                missed=found.missed,
                doubted=found.doubted,
                busy=found.busy,
                withheld=found.withheld,
            )
        if same:
            return Recalled(boot=Boot.ANOTHER, heard=found.heard, missed=found.missed)
        return Recalled(boot=Boot.ANOTHER, missed=found.heard)

    def remember(self, health: Health) -> None:
        """Have *health* written if it is something new."""
        if self._path is None:
            return
        whole = msgspec.structs.replace(health, origin=self._origin, boot=self.boot)
        if whole == self._written:
            return
        self._written = whole
        content = partial(_content, whole)
        self._submit(Write(path=self._path, content=content, done=self._done))

    def _done(self, error: str) -> None:
        if error:
            self._written = None
            if error != self._trouble:
                self.problems.append(f"{self._path}: not written: {error}")
        self._trouble = error

    def _read(self) -> Health | str | None:
        """Return the file, None where there is none, or why it says nothing."""
        if self._path is None:
            return None
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=Health)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            return f"{self._path}: ignored: {error}"
        if found.version != VERSION or found.origin != self._origin:
            return f"{self._path}: ignored: is of version {found.version} and of {found.origin}"
        return found


def boot_id() -> str:
    """Return the kernel's ID of this boot; empty where it cannot be read."""
    try:
        return BOOT_ID.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _content(health: Health) -> tuple[bytes]:
    return (msgspec.json.encode(health),)
