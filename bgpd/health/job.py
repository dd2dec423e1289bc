"""What is asked of whom, and what is known of it: the values that `Prober` takes and gives."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from bgpd.health.outcome import Fault
from bgpd.model.health import Exec, Health, Probe, Rhythm
from bgpd.model.prefix import Address

JobKey: TypeAlias = Hashable
"""Whatever tells jobs apart; its `repr` must, too, and is the same in each run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One thing to ask, again and again."""

    key: JobKey
    probe: Probe
    address: Address
    """Who is asked: never a name, which would have to be looked up."""
    port: int
    """Which port is asked: the probe's own, or where it has none the endpoint's. 0 for `exec`
    without one."""
    rhythm: Rhythm = field(default_factory=Rhythm)
    source_address: Address | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    """SERVICE and NODE for `exec`; ADDRESS, PORT and PATH are added."""
    only_answers: bool = False
    """Whether only an answer that is not the expected one is held against it, as often in a row as
    its rhythm says; silence, or what is no answer, says as little as that we could not ask."""

    @property
    def subject(self) -> str:
        """`10.0.0.7:80` or `[2001:db8::7]:80`, for sentences; the program of an `exec`."""
        if isinstance(self.probe, Exec):
            return self.probe.command[0] if self.probe.command else "exec"
        name = f"[{self.address}]" if ":" in self.address else self.address
        return f"{name}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """What is known of one job."""

    key: JobKey
    health: Health = Health.UNKNOWN
    message: str = "not asked yet"
    """The last answer in a sentence: `10.0.0.7:80 answered 503, expected 200-399`."""
    fault: Fault | None = None
    """What was wrong with the last answer."""
    since: float = 0.0
    """Wall clock of the last change of *health*; 0: never."""
    failures: int = 0
    """Probes that failed, in all."""
    probes: int = 0
    """Answers and failures, in all."""
    unasked: int = 0
    """How often it was due and we could not ask."""
