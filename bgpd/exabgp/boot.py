"""What we may claim of the forwarding state: after a boot nothing of it is left.

A router that keeps our routes over a restart (RFC 4724, section 4.2) asks the OPEN whether packets
were forwarded meanwhile, the F bit. ExaBGP always says yes. After a boot it is no: what ran before
does not run yet, and the router should drop what it kept instead of sending traffic there.
"""

from pathlib import Path
from typing import Any, Final

from exabgp.bgp.message.open.capability.capabilities import Capabilities
from exabgp.bgp.message.open.capability.capability import Capability
from exabgp.bgp.message.open.capability.graceful import Graceful

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_GRACEFUL: Final = Capability.CODE.GRACEFUL_RESTART


class SpeakerCapabilities(Capabilities):  # type: ignore[misc]
    """The capabilities of an OPEN, with the F bit where it is true."""

    forwarding = True
    """Set once, by the launcher: whether this is the boot in which we ran before."""

    def _graceful(self, neighbor: Any, restarted: bool) -> None:
        super()._graceful(neighbor, restarted)
        if self.forwarding or not restarted or _GRACEFUL not in self:
            return
        said = self[_GRACEFUL]
        families = [(afi, safi, 0) for afi, safi in said]
        self[_GRACEFUL] = Graceful().set(said.restart_flag, said.restart_time, families)


def ran_in_this_boot(directory: Path) -> bool:
    """Return whether we ran since the last boot, by a note in *directory*, and leave one."""
    note = directory / "boot"
    try:
        boot = BOOT_ID.read_text().strip()
        known = note.read_text("utf-8", "replace").strip() if note.exists() else ""
        if known != boot:
            note.write_text(f"{boot}\n")
    except OSError:
        return False
    return known == boot
