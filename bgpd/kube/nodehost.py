"""What of a node's own routes and addresses stands in its BGPNodeStatus."""

from bgpd.kube import hostform as form
from bgpd.kube.nodecondition import cut
from bgpd.kube.statusform import SHORT, SHORTER
from bgpd.model.status import HostAddressStatus, HostRouteStatus, HostState, HostStatus


def host_form(host: HostStatus) -> form.HostForm | None:
    """Return what was added to the node's network; None where nothing was wanted."""
    if host == HostStatus():
        return None
    routes = sorted(host.routes, key=lambda one: (one.destination, one.peer or ""))
    addresses = sorted(host.addresses, key=lambda one: (_there(one), one.address))
    return form.HostForm(
        interface=cut(host.interface, 64),
        interface_kind=cut(host.interface_kind, 64),
        routes=[_route(one) for one in routes[: form.MOST_BOUND]],
        addresses=[
            form.HostAddressForm(
                address=one.address, state=one.state.value, detail=cut(one.detail, SHORTER)
            )
            for one in addresses[: form.MOST_BOUND]
        ],
        bound=sum(_there(one) for one in addresses),
        restored=sum(host.restored.values()),
        quarrel=host.quarrel,
        problems=[cut(one, SHORT) for one in host.problems[: form.MOST_HITCHES]],
    )


def _there(one: HostAddressStatus) -> bool:
    return one.state is not HostState.MISSING


def _route(one: HostRouteStatus) -> form.HostRouteForm:
    return form.HostRouteForm(
        destination=one.destination,
        via=[cut(hop, 64) for hop in one.via[: form.MOST_HOPS]],
        source=one.source,
        peer=one.peer or "",
        state=one.state.value,
        detail=cut(one.detail, SHORTER),
    )
