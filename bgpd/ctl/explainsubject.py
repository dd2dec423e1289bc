"""What a person means by a name: which addresses of which Services, with all that is known."""

import ipaddress
from collections.abc import Iterator, Sequence

from bgpd.ctl.explainlink import Subject
from bgpd.ctl.view import View
from bgpd.model.errors import ConfigError
from bgpd.model.grounds import AddressGrounds, Grounds
from bgpd.model.prefix import Prefix


def subjects(
    view: View, what: str, prefix: Prefix | None, grounds: tuple[Grounds, ...]
) -> tuple[Subject, ...]:
    """Return what *what*, which is *prefix* where it is an address, names on the node of *view*."""
    if grounds:
        return tuple(_of_grounds(view, prefix, grounds))
    found = dict.fromkeys(_of_view(view, what.lower(), prefix))
    return tuple(
        Subject(node=view.node, service=service, prefix=one)
        for service, one in sorted(found, key=lambda pair: (pair[0], pair[1] or ""))
        # An address that is known of a Service is no address of nobody's.
        if service or not any(other and one == same for other, same in found)
    )


def must_know(views: Sequence[View], peer: str, *, where: str) -> None:
    """Raise `ConfigError` where none of *views* has a session with *peer*: nothing is to show."""
    if not peer or any(view.speaker is None for view in views):
        return
    known = dict.fromkeys(
        name
        for view in views
        for name in (
            *(one.peer for one in (view.speaker.sessions if view.speaker is not None else ())),
            *(one.peer for one in view.withheld),
        )
    )
    if peer not in known:
        there = ", ".join(sorted(filter(None, known))) or "none"
        raise ConfigError(f"there is no session with {peer} {where}; there are {there}")


def _of_grounds(
    view: View, prefix: Prefix | None, grounds: tuple[Grounds, ...]
) -> Iterator[Subject]:
    for one in grounds:
        if not one.addresses:
            yield Subject(node=view.node, service=one.service, prefix=None, grounds=one)
        for address in one.addresses:
            if prefix in {None, address.prefix}:
                for wanted in _wanted(one, address):
                    yield Subject(
                        node=view.node,
                        service=one.service,
                        prefix=wanted,
                        grounds=one,
                        address=address,
                    )


def _wanted(grounds: Grounds, address: AddressGrounds) -> Sequence[Prefix | None]:
    """Return what is advertised for *address*: itself, or blocks around it."""
    found = {
        one.prefix
        for one in grounds.advertisements
        if address.prefix is not None and covers(one.prefix, address.prefix)
    }
    return tuple(sorted(found)) or (address.prefix,)


def covers(block: Prefix, prefix: Prefix) -> bool:
    """Return whether *block* is *prefix*, or is around it."""
    if block == prefix or (":" in block) is not (":" in prefix):
        return block == prefix
    outer, inner = ipaddress.ip_network(block), ipaddress.ip_network(prefix)
    first, last = inner.network_address, inner.broadcast_address
    return int(outer.network_address) <= int(first) and int(last) <= int(outer.broadcast_address)


def _of_view(view: View, what: str, prefix: Prefix | None) -> Iterator[tuple[str, Prefix | None]]:
    """Yield Service and prefix of whatever a status has of it."""
    services = view.agent.services if view.agent is not None else {}
    routes = view.speaker.routes if view.speaker is not None else ()
    for route in routes:
        owners = route.services or services.get(route.prefix, ())
        if prefix is not None and covers(route.prefix, prefix) and not owners:
            yield "", route.prefix
        yield from (
            (one, route.prefix) for one in owners if _means(what, one, prefix, route.prefix)
        )
    for held in view.withheld:
        unnamed = services.get(held.prefix or Prefix(""), ("",))
        owners = (held.service,) if held.service else unnamed
        for one in owners:
            if _means(what, one, prefix, held.prefix):
                yield one, held.prefix


def _means(what: str, service: str, prefix: Prefix | None, other: Prefix | None) -> bool:
    if prefix is not None:
        return other is not None and covers(other, prefix)
    return bool(service) and what in {service, service.partition("/")[2]}
