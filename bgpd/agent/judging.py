"""Decisions on Services with everything that is known of this node.

That is policy's rules, what probes say, whether the node has only just booted, how restless a
Service is, and whether its documents may not be complete yet. Where no HealthCheck is about a
Service and it has no healthCheckNodePort, this costs a few looks into small dictionaries.
"""

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from bgpd.model.cluster import EndpointSlice, Service
from bgpd.model.health import HealthCheck
from bgpd.model.prefix import Address
from bgpd.model.reason import BY_HEALTH, Reason
from bgpd.model.route import Advertisement
from bgpd.model.status import Condition
from bgpd.policy.context import Context
from bgpd.policy.flapping import FLIPS, LAST_PAUSE, WINDOW_SECONDS, Flapping
from bgpd.policy.hearing import Hearing
from bgpd.policy.lingering import Lingering
from bgpd.policy.merge import Decision
from bgpd.policy.probing import Checks, inquiries, portless
from bgpd.policy.service import decide
from bgpd.policy.verdict import FINE, Verdict

_FLAPS: Final = Verdict(
    reason=Reason.FLAPPING,
    message=(
        f"it came and went {FLIPS} times within {WINDOW_SECONDS:g} s; its return is told after a"
        f" pause of at most {LAST_PAUSE:g} s"
    ),
)


_BY_PORT: Final = BY_HEALTH | {Reason.NO_LOCAL_ENDPOINTS}
"""What a good answer of a Service's port may bring to an end."""


class Judge:
    """Decides on Services, and keeps what is to be asked about them."""

    def __init__(
        self,
        node: str,
        *,
        hearing: Hearing | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Decide for *node*; without a *clock* (monotonic seconds) nothing flaps or lingers."""
        self.hearing = hearing or Hearing(node)
        self.flapping = Flapping()
        self.lingering = Lingering()
        self.general: Verdict = FINE
        """What holds for every Service."""
        self.prepare: Callable[[Context], None] = _nothing
        """Called with each context before the decisions under it."""
        self.asks_anew = False
        """Whether other questions are asked since somebody set this to False."""
        self._node = node
        self._clock = clock
        self._latest: Context | None = None
        self._checks = Checks()
        self._checked = False
        """Whether there is any HealthCheck: asked for with every decision."""
        self._chosen: dict[str, tuple[str, ...]] = {}
        """The HealthChecks of each Service that has any."""
        self._choosing: dict[str, set[str]] = {}
        """The Services of each HealthCheck that has any."""
        self._portless: dict[str, set[str]] = {}
        """The Services at which a HealthCheck knows no port to ask."""

    def configure(self, context: Context) -> None:
        """Ask what *context* wants to be asked: it is in force soon, if it is not yet."""
        self._latest = context
        self._checks, self._checked = context.checks, bool(context.checks)
        self.prepare(context)

    def decide(
        self,
        service: Service,
        slices: Iterable[EndpointSlice],
        context: Context,
        *,
        had: tuple[Advertisement, ...] = (),
    ) -> Decision:
        """Return the decision on *service* in a state that is not in force yet; *had* is."""
        endpoints, key = tuple(slices), service.key
        decision = self._for_now(service, endpoints, context, had)
        if decision.advertisements and self.flapping.held(key):
            return decide(service, endpoints, context, _FLAPS)
        return decision

    def follow(
        self,
        service: Service,
        slices: Iterable[EndpointSlice],
        context: Context,
        *,
        had: tuple[Advertisement, ...] = (),
    ) -> Decision:
        """Return the decision on *service* in the state in force; *had* is advertised for it."""
        endpoints, key = tuple(slices), service.key
        decision = self._for_now(service, endpoints, context, had)
        up = bool(decision.advertisements)
        if self._clock is None or not ((had and not up) or key in self.flapping):
            return decision
        if self.flapping.note(key, up=up, now=self._clock()):
            return decide(service, endpoints, context, _FLAPS)
        return decision

    def forget(self, service: str) -> None:
        """Note that *service* is no more."""
        self._choose(service, ())
        self.flapping.forget(service)
        self.lingering.forget(service)
        self.asks_anew |= self.hearing.forget(service)

    def unused(self) -> Iterator[Condition]:
        """Yield a condition for each HealthCheck that asks nothing of any Service, or of one."""
        for one in self._checks:
            if one.key not in self._choosing:
                yield _unused(
                    "NoService",
                    f"HealthCheck {one.key}: spec.serviceSelectors choose no Service of namespace"
                    f" {one.namespace}; correct them, or remove it",
                )
            elif services := self._portless.get(one.key):
                yield _unused(
                    "NoPort",
                    f"HealthCheck {one.key}: names no port, and Service {min(services)} has none"
                    " of the protocol that is to be asked, so nothing is; set the port",
                )

    def _for_now(
        self,
        service: Service,
        slices: tuple[EndpointSlice, ...],
        context: Context,
        had: tuple[Advertisement, ...],
    ) -> Decision:
        """Return the decision on *service*, which may keep of what it *had* for a moment."""
        clock, key = self._clock, service.key
        if clock is None or not (had and self.lingering.may_keep(key)):
            had = ()
        decision = self._on_facts(service, slices, context, had)
        if clock is not None and (decision.kept or key in self.lingering):
            up = bool(decision.advertisements)
            self.lingering.note(key, kept=decision.kept, up=up, now=clock())
        return decision

    def _on_facts(
        self,
        service: Service,
        slices: tuple[EndpointSlice, ...],
        context: Context,
        had: tuple[Advertisement, ...],
    ) -> Decision:
        key = service.key
        if not (self._checked or self.hearing.questions or service.health_check_node_port):
            return decide(service, slices, context, self.general, had)
        verdict = self._verdict(key)
        decision = decide(service, slices, context, verdict, had)
        chosen = self._checks.of(service) if self._checked else ()
        if not (chosen or key in self._chosen):
            # Nothing, or its port at most: the same again, where only an endpoint moved.
            port = service.health_check_node_port if service.local else 0
            if self.hearing.asks_only(key, self._port_at(decision) if port else None, port):
                return decision
        self._inquire(service, slices, decision, chosen)
        after = self._verdict(key)
        return decision if after == verdict else decide(service, slices, context, after, had)

    def _verdict(self, service: str) -> Verdict:
        heard = self.hearing.verdict(service)
        if heard is None:
            return self.general
        if heard.reason is Reason.STARTING_UP and self.general.reason is not None:
            return self.general
        return heard

    def _inquire(
        self,
        service: Service,
        slices: tuple[EndpointSlice, ...],
        decision: Decision,
        chosen: tuple[HealthCheck, ...],
    ) -> None:
        """Ask about *service* what makes sense where *decision* was taken on it."""
        self._choose(service.key, tuple(one.key for one in chosen))
        self._note_ports(service, slices, chosen)
        found = inquiries(
            service,
            slices,
            chosen if _wanted(decision, BY_HEALTH) else (),
            node=self._node,
            node_port_at=self._port_at(decision),
        )
        self.asks_anew |= self.hearing.ask(service.key, found)

    def _port_at(self, decision: Decision) -> Address | None:
        """Return where to ask the port of a Service that *decision* is about; None: nowhere."""
        latest = self._latest
        if latest is None or not latest.policy.health.health_check_node_port:
            return None
        return latest.mesh_address if _wanted(decision, _BY_PORT) else None

    def _note_ports(
        self,
        service: Service,
        slices: tuple[EndpointSlice, ...],
        checks: tuple[HealthCheck, ...],
    ) -> None:
        for one in checks:
            if portless(service, slices, one):
                self._portless.setdefault(one.key, set()).add(service.key)
            elif one.key in self._portless:
                self._leave(self._portless, one.key, service.key)

    def _leave(self, table: dict[str, set[str]], check: str, service: str) -> None:
        table[check].discard(service)
        if not table[check]:
            del table[check]

    def _choose(self, service: str, checks: tuple[str, ...]) -> None:
        before = self._chosen.get(service, ())
        if before == checks:
            return
        for one in before:
            self._leave(self._choosing, one, service)
            if one in self._portless:
                self._leave(self._portless, one, service)
        for one in checks:
            self._choosing.setdefault(one, set()).add(service)
        if checks:
            self._chosen[service] = checks
        else:
            del self._chosen[service]


def _wanted(decision: Decision, unless: AbstractSet[Reason]) -> bool:
    """Return whether there is a route, or would be but for one of the reasons *unless*."""
    return bool(decision.advertisements) or any(one.reason in unless for one in decision.withheld)


def _unused(reason: str, message: str) -> Condition:
    return Condition(type="HealthCheckUnused", status=True, reason=reason, message=message)


def _nothing(_: Context) -> None:
    """Prepare nothing."""
