"""The columns of each list: NAME first, AGE last, a word in place of what is not known."""

from collections.abc import Iterable
from typing import Final

from bgpd.ctl.columns import NONE, UNKNOWN, duration
from bgpd.ctl.healthtable import bfd_cell
from bgpd.ctl.items import (
    CheckItem,
    ElasticIP,
    Member,
    NodeItem,
    Peer,
    Pool,
    Route,
    Session,
    Stand,
)
from bgpd.ctl.listcolumns import Column
from bgpd.ctl.listing import carrying
from bgpd.ctl.table import heard, lever_cell, member_words
from bgpd.model.health import Health
from bgpd.model.inventory import PoolUse

_MANY: Final = 10_000_000
"""A total above it is shown as the power of two that it reaches."""
_TRUTH: Final = {True: "yes", False: "no", None: UNKNOWN}


def _listed(names: Iterable[str] | None) -> str:
    return UNKNOWN if names is None else ",".join(names) or NONE


def _number(value: int | None) -> str:
    return UNKNOWN if value is None else str(value)


def _age_of_health(check: CheckItem, now: float) -> str:
    """Return for how long it is so: what is asked and never changed, since the agent's start."""
    return "start" if check.probes and not check.since else _age(check.since, now)


def _age(moment: float | None, now: float) -> str:
    return UNKNOWN if moment is None else duration(now - moment)


def _node(item: ElasticIP | Route | Session | Peer | Member | CheckItem, _: float) -> str:
    return "" if isinstance(item, ElasticIP) else item.node


def _reasons(one: ElasticIP) -> str:
    """Return why an elastic IP is kept back somewhere, each reason once."""
    return ",".join(dict.fromkeys(gap.reason.value for gap in one.withheld)) or NONE


def _best(one: ElasticIP) -> str:
    return ",".join(f"{carrier.node}({carrier.rank})" for carrier in one.carriers) or NONE


def _rank(one: ElasticIP) -> str:
    return str(one.carriers[0].rank) if one.carriers else NONE


def _hearing(one: ElasticIP) -> list[str]:
    return sorted({peer for carrier in one.carriers for peer in carrier.peers})


def _med(one: ElasticIP) -> str:
    found = one.carriers[0].med if one.carriers else None
    return NONE if found is None else str(found)


def _spaces(names: Iterable[str] | None) -> str:
    """Return the namespaces of *names*, each once."""
    if names is None:
        return UNKNOWN
    return _listed(dict.fromkeys(name.partition("/")[0] for name in names))


def _unspaced(name: str) -> str:
    return name.partition("/")[2]


ELASTIC_IPS: Final[tuple[Column[ElasticIP], ...]] = (
    Column(header="NAMESPACE", cell=lambda one, _: _spaces(one.services), spaced=True, yields=4),
    Column(header="NAME", cell=lambda one, _: one.name, yields=1),
    Column(header="STATE", cell=lambda one, _: one.state.value),
    Column(header="RANK", cell=lambda one, _: _rank(one), whole=False),
    Column(header="PEERS", cell=lambda one, _: str(len(_hearing(one))), whole=False),
    Column(header="HEARD-BY", cell=lambda one, _: _listed(_hearing(one)), whole=False, wide=True),
    Column(header="MED", cell=lambda one, _: _med(one), whole=False, wide=True),
    Column(
        header="NODES",
        cell=lambda one, _: _listed(carrier.node for carrier in carrying(one)),
        whole=True,
        yields=3,
    ),
    Column(header="RANKS", cell=lambda one, _: _best(one), whole=True, wide=True),
    Column(header="SERVICES", cell=lambda one, _: _listed(one.services), yields=3),
    Column(header="REASONS", cell=lambda one, _: _reasons(one), yields=2),
    Column(
        header="MESSAGE",
        cell=lambda one, _: "; ".join(dict.fromkeys(gap.message for gap in one.withheld)),
        wide=True,
    ),
)


def _of(route: Route, name: str) -> str:
    """Return one of the attributes of *route*."""
    if route.attributes is None:
        return NONE if route.state is Stand.WITHHELD else UNKNOWN
    value = getattr(route.attributes, name)
    if isinstance(value, tuple):
        return ",".join(value) or NONE
    return NONE if value is None else str(getattr(value, "name", value))


ROUTES: Final[tuple[Column[Route], ...]] = (
    Column(header="NAME", cell=lambda one, _: one.name, yields=1),
    Column(header="NODE", cell=_node, whole=True, yields=2),
    Column(header="PEER", cell=lambda one, _: one.peer, yields=4),
    Column(header="STATE", cell=lambda one, _: one.state.value),
    Column(header="RANK", cell=lambda one, _: NONE if one.rank is None else str(one.rank)),
    Column(header="MED", cell=lambda one, _: _of(one, "med"), whole=False),
    Column(header="NEXT-HOP", cell=lambda one, _: _of(one, "next_hop"), whole=False, yields=3),
    Column(header="LOCAL-PREF", cell=lambda one, _: _of(one, "local_pref"), wide=True, whole=False),
    Column(
        header="PREPEND", cell=lambda one, _: _of(one, "as_path_prepend"), wide=True, whole=False
    ),
    Column(header="ORIGIN", cell=lambda one, _: _of(one, "origin"), wide=True, whole=False),
    Column(
        header="COMMUNITIES", cell=lambda one, _: _of(one, "communities"), wide=True, whole=False
    ),
    Column(
        header="LARGE-COMMUNITIES",
        cell=lambda one, _: _of(one, "large_communities"),
        wide=True,
        whole=False,
    ),
    Column(
        header="BANDWIDTH", cell=lambda one, _: _of(one, "link_bandwidth"), wide=True, whole=False
    ),
    Column(header="SETTLED", cell=lambda one, _: _TRUTH[one.settled], wide=True, whole=False),
    Column(header="REASON", cell=lambda one, _: one.reason.value if one.reason else NONE, yields=5),
    Column(header="SERVICES", cell=lambda one, _: _listed(one.services), wide=True),
)


def _advertised(one: Session) -> str:
    status = one.status
    limit = f"/{status.max_prefixes}" if status.max_prefixes is not None else ""
    return f"{status.advertised}{limit}"


SESSIONS: Final[tuple[Column[Session], ...]] = (
    Column(header="NAME", cell=lambda one, _: one.name, yields=1),
    Column(header="NODE", cell=_node, whole=True, yields=2),
    Column(header="ADDRESS", cell=lambda one, _: one.status.address, yields=3),
    Column(header="ASN", cell=lambda one, _: str(one.status.peer_asn)),
    Column(header="STATE", cell=lambda one, _: one.status.state.value),
    Column(
        header="HOLD",
        cell=lambda one, _: NONE if one.status.hold_time is None else f"{one.status.hold_time}s",
    ),
    Column(header="ADVERTISED", cell=lambda one, _: _advertised(one)),
    Column(header="BFD", cell=lambda one, _: bfd_cell(one.status), wide=True),
    Column(header="LEVER", cell=lambda one, _: lever_cell(one.status), wide=True),
    Column(header="ROUTER-ID", cell=lambda one, _: one.status.peer_router_id or UNKNOWN, wide=True),
    Column(header="LOCAL-ASN", cell=lambda one, _: str(one.status.local_asn), wide=True),
    Column(header="SOURCE", cell=lambda one, _: one.status.local_address or UNKNOWN, wide=True),
    Column(
        header="FAMILIES",
        cell=lambda one, _: _listed(one.status.families),
        wide=True,
        whole=False,
    ),
    Column(
        header="GRACEFUL-RESTART",
        cell=lambda one, _: _TRUTH[one.status.graceful_restart],
        wide=True,
    ),
    Column(header="TRANSITIONS", cell=lambda one, _: str(one.status.transitions), wide=True),
    Column(header="LAST-ERROR", cell=lambda one, _: one.status.last_error, wide=True),
    Column(header="AGE", cell=lambda one, now: _age(one.status.since, now)),
)


def _written(one: Peer, name: str) -> str:
    """Return one field of the document of *one*."""
    if one.document is None:
        return UNKNOWN
    value = getattr(one.document, name)
    if isinstance(value, tuple):
        return ",".join(value) or NONE
    if isinstance(value, bool):
        return _TRUTH[value]
    return NONE if value in {None, ""} else str(value)


def _fate(one: Peer) -> str:
    """Return in a word or two what came of a BGPPeer here."""
    if one.sessions:
        return ",".join(dict.fromkeys(session.state.value for session in one.sessions))
    if one.document is None:
        return UNKNOWN
    if not one.document.selected:
        return "NotSelected"
    return "NoSession" if one.document.in_force else "Refused"


PEERS: Final[tuple[Column[Peer], ...]] = (
    Column(header="NAME", cell=lambda one, _: one.name, yields=1),
    Column(header="NODE", cell=_node, whole=True, yields=3),
    Column(
        header="ADDRESS",
        cell=lambda one, _: (
            _listed(session.address for session in one.sessions)
            if one.sessions
            else _written(one, "address")
        ),
        yields=2,
    ),
    Column(header="ASN", cell=lambda one, _: _written(one, "peer_asn")),
    Column(header="SELECTED", cell=lambda one, _: _written(one, "selected")),
    Column(header="LEVER", cell=lambda one, _: _written(one, "lever")),
    Column(header="SESSION", cell=lambda one, _: _fate(one)),
    Column(header="PORT", cell=lambda one, _: _written(one, "port"), wide=True),
    Column(header="LOCAL-ASN", cell=lambda one, _: _written(one, "local_asn"), wide=True),
    Column(header="HOLD", cell=lambda one, _: _written(one, "hold_time"), wide=True),
    Column(header="FAMILIES", cell=lambda one, _: _written(one, "families"), wide=True),
    Column(header="TAKEOVER", cell=lambda one, _: _written(one, "takeover"), wide=True),
    Column(header="LIMIT", cell=lambda one, _: _written(one, "max_prefixes"), wide=True),
    Column(header="BFD-PROFILE", cell=lambda one, _: _written(one, "bfd_profile"), wide=True),
    Column(header="SIGNED", cell=lambda one, _: _written(one, "signed"), wide=True),
    Column(header="GATEWAY", cell=lambda one, _: _written(one, "gateway"), wide=True),
    Column(header="PROVIDER", cell=lambda one, _: _written(one, "provider"), wide=True),
)


def _state(one: NodeItem) -> str:
    found = one.heard.value if one.heard is not None else one.state
    return f"{found},draining" if one.draining else found


def _share(part: int | None, total: int | None) -> str:
    return UNKNOWN if part is None or total is None else f"{part}/{total}"


NODES: Final[tuple[Column[NodeItem], ...]] = (
    Column(header="NAME", cell=lambda one, _: one.name, yields=1),
    Column(header="STATE", cell=lambda one, _: _state(one), yields=3),
    Column(header="SESSIONS", cell=lambda one, _: _share(one.established, one.sessions)),
    Column(header="ELASTIC-IPS", cell=lambda one, _: _number(one.elastic_ips)),
    Column(header="ARMED", cell=lambda one, _: _TRUTH[one.armed]),
    Column(header="VERSION", cell=lambda one, _: one.agent or UNKNOWN, yields=2),
    Column(header="GENERATION", cell=lambda one, _: _number(one.generation), wide=True),
    Column(header="SPEAKER", cell=lambda one, _: one.speaker or UNKNOWN, wide=True),
    Column(
        header="WRITTEN",
        restless=True,
        cell=lambda one, now: NONE if one.written is None else duration(now - one.written),
        wide=True,
    ),
    Column(
        header="PROBLEMS",
        cell=lambda one, _: "; ".join((*one.doubts, *one.problems)),
        wide=True,
    ),
    Column(header="AGE", restless=True, cell=lambda one, now: _age(one.started, now)),
)

MEMBERS: Final[tuple[Column[Member], ...]] = (
    Column(header="NAME", cell=lambda one, _: one.name, yields=1),
    Column(header="SEEN-BY", cell=_node, whole=True, yields=2),
    Column(header="ADDRESS", cell=lambda one, _: one.status.address, yields=4),
    Column(
        header="STATE",
        cell=lambda one, _: ",".join((one.status.state.value, *member_words(one.status))),
        yields=3,
    ),
    Column(
        header="LOSS",
        restless=True,
        cell=lambda one, _: f"{one.status.loss_percent:.1f}%",
        whole=False,
    ),
    Column(header="GENERATION", cell=lambda one, _: _number(one.status.generation), whole=False),
    Column(header="VERSION", cell=lambda one, _: _number(one.status.version), whole=False),
    Column(header="AGENT", cell=lambda one, _: "alive" if one.status.agent_alive else "silent"),
    Column(header="HEARS-US", cell=lambda one, _: _TRUTH[one.status.hears_us], wide=True),
    Column(
        header="MISSES",
        cell=lambda one, _: str(one.status.misses_allowed),
        wide=True,
        whole=False,
    ),
    Column(
        header="ROUTER-IDS",
        cell=lambda one, _: _listed(one.status.router_ids),
        wide=True,
        whole=False,
    ),
    Column(
        header="HEARD",
        restless=True,
        cell=lambda one, _: heard(one.status.last_heard_milliseconds),
        whole=False,
    ),
)


def _use(used: int, total: int) -> str:
    if total == 0:
        return NONE
    return f"{used}/{total if total < _MANY else f'2^{total.bit_length() - 1}'}"


def _full(use: PoolUse) -> str:
    """Return the share of the fuller family."""
    shares = [
        used / total
        for used, total in (
            (use.used_ipv4, use.total_ipv4),
            (use.used_ipv6, use.total_ipv6),
        )
        if total
    ]
    return f"{int(100 * max(shares, default=1.0))}%" if use.in_force else "refused"


POOLS: Final[tuple[Column[Pool], ...]] = (
    Column(header="NAME", cell=lambda one, _: one.name, yields=1),
    Column(header="ADDRESSES", cell=lambda one, _: _listed(one.use.prefixes), yields=2),
    Column(header="IPV4", cell=lambda one, _: _use(one.use.used_ipv4, one.use.total_ipv4)),
    Column(header="IPV6", cell=lambda one, _: _use(one.use.used_ipv6, one.use.total_ipv6)),
    Column(header="FULL", cell=lambda one, _: _full(one.use)),
    Column(header="AUTO", cell=lambda one, _: _TRUTH[one.use.auto_assign]),
    Column(header="SERVICES", cell=lambda one, _: str(one.use.services), wide=True),
    Column(header="RESERVED", cell=lambda one, _: _listed(one.use.reserved), wide=True),
    Column(
        header="AVOID-BUGGY-IPS", cell=lambda one, _: _TRUTH[one.use.avoid_buggy_ips], wide=True
    ),
    Column(header="BIND", cell=lambda one, _: _TRUTH[one.use.bind], wide=True),
    Column(header="MIGRATING", cell=lambda one, _: _TRUTH[one.use.migrating], wide=True),
)


def _asks(one: CheckItem) -> str:
    if one.document is None:
        return "healthCheckNodePort" if one.name == one.service else UNKNOWN
    return one.document.probe


def _failed(one: CheckItem) -> str:
    """Return how many probes failed; what agents tell the cluster holds no count."""
    if not one.probes and one.health is not Health.UNKNOWN:
        return UNKNOWN
    return f"{one.failures}/{one.probes}"


def _every(one: CheckItem) -> str:
    return UNKNOWN if one.document is None else f"{one.document.period_milliseconds}ms"


HEALTH_CHECKS: Final[tuple[Column[CheckItem], ...]] = (
    Column(header="NAMESPACE", cell=lambda one, _: _spaces((one.name,)), spaced=True, yields=4),
    Column(header="NAME", cell=lambda one, _: one.name, spaced=False, yields=3),
    Column(header="NAME", cell=lambda one, _: _unspaced(one.name), spaced=True, yields=3),
    Column(header="NODE", cell=_node, whole=True, yields=4),
    Column(header="SERVICE", cell=lambda one, _: one.service, yields=2),
    Column(header="HEALTH", cell=lambda one, _: one.health.value),
    Column(header="FAILED", restless=True, cell=lambda one, _: _failed(one)),
    Column(header="PROBE", cell=lambda one, _: _asks(one), wide=True),
    Column(header="EVERY", cell=lambda one, _: _every(one), wide=True),
    Column(header="MESSAGE", cell=lambda one, _: one.message, yields=5),
    Column(header="AGE", restless=True, cell=_age_of_health),
)
