"""How one resource is followed, for status and metrics: when it was heard last, and how often."""

from dataclasses import dataclass

from bgpd.kube.reflector import Reflector


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One resource, as of a moment."""

    resource: str
    synced: bool
    age_seconds: float | None
    """Since the last byte of a good answer; a healthy watch says something once a minute."""
    events: int
    resyncs: int
    errors: int


def watched(one: Reflector, now: float) -> Watched:
    """Return how *one* follows its resource; *now* is the loop's clock."""
    counters = one.counters
    return Watched(
        resource=one.resource.word,
        synced=one.mirror.synced,
        age_seconds=None if counters.heard is None else max(0.0, now - counters.heard),
        events=counters.events,
        resyncs=counters.resyncs,
        errors=counters.errors,
    )
