"""What the speaker shows on its metrics port, also while no agent is there.

The alerts about sessions and takeovers rest on these pages, so they need nobody but the reflex.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from bgpd.model.status import DrainPhase, SpeakerStatus
from bgpd.speaker import metrics
from bgpd.speaker.meters import Meters
from bgpd.speaker.reflex import Reflex
from bgpd.speaker.rows import Rows
from bgpd.speaker.watchdog import SILENT_SECONDS
from bgpd.telemetry import logs
from bgpd.telemetry.exposition import Family
from bgpd.telemetry.httprequest import Check
from bgpd.telemetry.metric import Process
from bgpd.telemetry.procnumbers import cpu_seconds, resident_bytes, stat_fields
from bgpd.telemetry.selfreport import self_report
from bgpd.telemetry.speakermetrics import EXABGP_CPU_SECONDS, EXABGP_RESIDENT_BYTES

_NO_ROWS: Final = Rows({}, {}, frozenset())
"""A scrape counts routes, it does not list them."""


class SpeakerPages:
    """Answers /metrics, /livez and /readyz (`bgpd.telemetry.http` Pages)."""

    def __init__(
        self,
        reflex: Reflex,
        meters: Meters,
        log: logging.Logger,
        *,
        observe: Callable[[float, Rows], SpeakerStatus],
        backlog: Callable[[], int],
    ) -> None:
        """Show what *observe* sees; *backlog* says how many bytes ExaBGP has not read."""
        self._reflex = reflex
        self._meters = meters
        self._log = log
        self._observe = observe
        self._backlog = backlog
        self._loop = asyncio.get_running_loop()

    def families(self) -> Iterator[Family]:
        """Yield every metric; all that concerns one moment is read in the first turn."""
        status = self._observe(self._loop.time(), _NO_ROWS)
        yield from metrics.families(
            self._reflex,
            status,
            self._meters,
            events=logs.recorder(self._log).counts,
            backlog=self._backlog(),
        )
        yield from self._exabgps()
        mesh = () if status.mesh is None else status.mesh.conditions
        yield from self_report(Process.SPEAKER, self._log, (*status.conditions, *mesh))

    def live(self) -> Iterable[Check]:
        """Return nothing beside the loop: what hangs elsewhere, a restart of us would not mend."""
        return ()

    def ready(self) -> Iterator[Check]:
        """Yield what must be so for this node to advertise; a peer that is down is none of it."""
        known = self._reflex.desired is not None
        yield Check(
            "configuration",
            "" if known else "no agent has said yet, nor does the disk, what to advertise",
        )
        yield Check("exabgp", self._exabgp())
        leaving = self._reflex.draining.status(self._loop.time()).phase is DrainPhase.LEAVING
        yield Check("staying", "the process ends" if leaving else "")

    def _exabgps(self) -> Iterator[Family]:
        """Yield what the kernel knows of ExaBGP, our parent; where it tells nothing, no number."""
        fields = stat_fields(Path("/proc") / str(os.getppid())) or ()
        yield Family(EXABGP_RESIDENT_BYTES, [((), resident_bytes(fields))] if fields else ())
        yield Family(EXABGP_CPU_SECONDS, [((), cpu_seconds(fields))] if fields else ())

    def _exabgp(self) -> str:
        heard = self._meters.dialogue.heard_at
        if heard is None:
            return "it has not answered yet"
        silent = self._loop.time() - heard
        return f"it has not answered for {silent:.0f} s" if silent > SILENT_SECONDS else ""
