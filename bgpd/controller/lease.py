"""Who of several controllers may write, decided from one Lease: the decisions, without the wire.

The leader renews the Lease each `RENEW` seconds. Its right to write lasts until `STOP` seconds
after the beginning of the last renewal that worked; at `KILL` the kernel ends a process that could
not see to that itself, because it was stopped (`bgpd.controller.deadline`). A request that had
left it by then is over `FLIGHT` + `SERVER` seconds later: the kernel gives up on bytes that nobody
acknowledges, and the server on a request that takes too long. A rival takes the Lease when it has
not changed for `PATIENCE` seconds of the rival's own clock, so nothing of the old leader is under
way any more when the new one reads which addresses are given.

No clock is compared with another machine's: times in the Lease are for people. Times here are
seconds of a clock that also runs while a machine sleeps.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

DURATION: Final = 15
"""`leaseDurationSeconds`: within so long after a leader died there is a new one."""
RENEW: Final = 2.0
LOOK: Final = 0.4
"""Seconds between two looks of a rival."""
REQUEST: Final = 3.0
"""Seconds for one request about the Lease, less than half of `STOP`."""
STOP: Final = 7.0
KILL: Final = 8.0
FLIGHT: Final = 4.0
"""TCP_USER_TIMEOUT of `bgpd.kube.transport`."""
SERVER: Final = 2.0
"""The parameter `timeout` of every write."""
PATIENCE: Final = KILL + FLIGHT + SERVER
"""A second less than `DURATION`: a rival may see the last renewal a `LOOK` later, and its next look
may come a `LOOK` after that; the rest is for its own request."""
SPARE: Final = 0.25
"""Seconds of the right to write that a write needs to begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The Lease as the server has it."""

    version: str
    """`metadata.resourceVersion`."""
    holder: str = ""
    """Empty where the last holder gave it back."""
    transitions: int = 0
    acquired: str = ""
    renewed: str = ""


class Election:
    """One candidate's view of the Lease."""

    def __init__(self, identity: str) -> None:
        """Stand as *identity*, which no other process ever has, also not our next one."""
        self.identity = identity
        self.record: Record | None = None
        self._seen_at: float | None = None
        self._ever = False
        """Whether there was a Lease: somebody may work under one that was deleted."""
        self._until = -math.inf
        self._clear_at = -math.inf
        """When nothing is under way any more of what we ourselves had begun."""

    def seen(self, record: Record | None, now: float) -> None:
        """Take what the server has; None where there is no Lease."""
        if self._seen_at is None or record != self.record:
            self._seen_at = now
        self._ever |= record is not None
        self.record = record

    def may_take(self, now: float) -> bool:
        """Return whether nobody can be at work under the Lease."""
        if self._seen_at is None or now < self._clear_at:
            return False
        if self.record is None and not self._ever:
            return True
        if self.record is not None and self.record.holder in {"", self.identity}:
            return True
        return now - self._seen_at >= PATIENCE

    def wanted(self, wall: float) -> Record:
        """Return the Lease with us as its holder."""
        moment = _time(wall)
        before = self.record
        if before is not None and before.holder == self.identity:
            return Record(
                version=before.version,
                holder=self.identity,
                transitions=before.transitions,
                acquired=before.acquired,
                renewed=moment,
            )
        return Record(
            version="" if before is None else before.version,
            holder=self.identity,
            transitions=0 if before is None else before.transitions + 1,
            acquired=moment,
            renewed=moment,
        )

    def released(self, wall: float) -> Record | None:
        """Return the Lease given back, or None where it is not ours."""
        before = self.record
        if before is None or before.holder != self.identity:
            return None
        return Record(
            version=before.version,
            transitions=before.transitions,
            acquired=before.acquired,
            renewed=_time(wall),
        )

    def won(self, record: Record, *, began: float, now: float) -> None:
        """Note that the server took `wanted` in a request that began at *began*."""
        self.seen(record, now)
        self._until = began + STOP

    def lost(self, now: float) -> None:
        """Note that the right to write is over, and the connections are closed."""
        self._until = -math.inf
        self._clear_at = now + FLIGHT + SERVER

    @property
    def kill_at(self) -> float:
        """When the kernel ends us, unless the Lease is renewed."""
        return self._until - STOP + KILL

    def holds(self, now: float) -> bool:
        """Return whether we may write."""
        return now < self._until

    def may_begin(self, now: float) -> bool:
        """Return whether there is time to begin a write."""
        return now + SPARE < self._until

    def left(self, now: float) -> float:
        """Return for how long we may write."""
        return max(0.0, self._until - now)


def document(record: Record, *, name: str, namespace: str) -> dict[str, Any]:
    """Return the Lease as it goes to the server."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if record.version:
        metadata["resourceVersion"] = record.version
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": {
            "holderIdentity": record.holder,
            # Whoever reads the Lease by Kubernetes' own rules need not wait for one given back.
            "leaseDurationSeconds": DURATION if record.holder else 1,
            "leaseTransitions": record.transitions,
            "acquireTime": record.acquired or None,
            "renewTime": record.renewed or None,
        },
    }


def record_of(found: Mapping[str, Any]) -> Record | None:
    """Return what a Lease of the server says; None where it is none."""
    metadata, spec = found.get("metadata"), found.get("spec") or {}
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        return None
    version = metadata.get("resourceVersion")
    if not isinstance(version, str) or not version:
        return None
    transitions = spec.get("leaseTransitions")
    return Record(
        version=version,
        holder=_text(spec.get("holderIdentity")),
        transitions=transitions if isinstance(transitions, int) else 0,
        acquired=_text(spec.get("acquireTime")),
        renewed=_text(spec.get("renewTime")),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _time(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
