"""What a node that has booted waits for before it attracts traffic.

The gate is about a boot, not about a restart of the agent: in the boot that it was opened in it
stays open, and what was advertised goes on. After a boot nothing that was there before is there:
kube-proxy has to be heard again if it was ever heard here, then the routes come, the worst
attributes first where that is wanted.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bgpd.model.health import Health, StartupPolicy
from bgpd.model.reason import Reason
from bgpd.model.route import RANK_SLOW_START
from bgpd.policy.verdict import FINE, Verdict


class Boot(StrEnum):
    """Whether what is remembered is of the boot that we run in."""

    SAME = "Same"
    """It is, or nobody can tell: the routes of before may be on the wire, so they stay."""
    ANOTHER = "Another"
    FIRST = "First"
    """Nothing is remembered: this node was never seen."""


SLOW: Final = Verdict(floor=RANK_SLOW_START)
"""What holds for the first routes, where they are to be less wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the gate is shown."""

    policy: StartupPolicy
    kube_proxy: Health
    awaited: bool
    """Whether kube-proxy was heard before the boot, and is asked."""


class Gate:
    """The node's own part of a start; probes of Services are another. Times are monotonic."""

    def __init__(self, boot: Boot, node: str, now: float) -> None:
        """Begin at *now*; the gate of the same boot is open."""
        self.open = boot is Boot.SAME
        self.patience_over = False
        """Whether it was opened without kube-proxy."""
        self._node = node
        self._began = now
        self._ready: float | None = None
        """Since when nothing else is waited for."""
        self._opened: float | None = None
        self._slow = 0.0
        self.verdict = FINE if self.open else self._closed("")
        """What holds for every Service of the node."""

    def look(self, look: Look, now: float) -> bool:
        """Open the gate when it is time; return whether the verdict changed."""
        before = self.verdict
        if not self.open:
            self.verdict = self._wait(look, now)
        elif self._opened is not None and now >= self._opened + self._slow:
            self._opened = None
            self.verdict = FINE
        return self.verdict != before

    @property
    def waits_for(self) -> str:
        """What keeps it closed, in a sentence; the empty text: it is open."""
        return "" if self.open else self.verdict.message

    def deadline(self, policy: StartupPolicy) -> float | None:
        """Return when to `look` again, if nothing changes before."""
        if self._opened is not None:
            return self._opened + self._slow
        if self.open:
            return None
        if self._ready is not None:
            return self._ready + policy.delay_seconds
        return self._began + policy.patience_seconds

    def _wait(self, look: Look, now: float) -> Verdict:
        policy = look.policy
        lacking = look.awaited and look.kube_proxy is not Health.HEALTHY
        if lacking and now < self._began + policy.patience_seconds:
            self._ready = None
            return self._closed(
                f", and kube-proxy, which was here before, is not healthy yet; it is waited for"
                f" {policy.patience_seconds} s (spec.startup.patienceSeconds)"
            )
        self.patience_over = lacking
        if self._ready is None:
            self._ready = now
        if now < self._ready + policy.delay_seconds:
            return self._closed(
                f" and could deliver; the routes follow {policy.delay_seconds} s later"
                " (spec.startup.delaySeconds)"
            )
        self.open = True
        if not policy.slow_start_seconds:
            return FINE
        self._slow, self._opened = policy.slow_start_seconds, now
        return SLOW

    def _closed(self, what: str) -> Verdict:
        message = f"node {self._node} has booted{what}"
        return Verdict(reason=Reason.STARTING_UP, message=message)
