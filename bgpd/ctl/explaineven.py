"""Why some nodes, or some endpoints, get more traffic than others: from what routers are told."""

from collections.abc import Iterator, Mapping

from bgpd.ctl.columns import counted
from bgpd.model.grounds import Grounds

_MOST_NODES = 6


def unevenness(grounds: Grounds, prefix: str) -> Iterator[str]:
    """Yield why the endpoints of a Service get unlike shares of what comes for *prefix*.

    Routers that spread over equal paths give each node the same share, whatever is behind it.
    """
    wanted = [one for one in grounds.advertisements if one.prefix == prefix]
    weighted = bool(wanted) and all(one.link_bandwidth is not None for one in wanted)
    if any(one.ahead or one.rank for one in wanted):
        yield "one node is active and the others stand by, so traffic goes to that one"
        return
    if not grounds.local:
        return
    counts = {node: count for node, count in grounds.endpoints.items() if node}
    if len(set(counts.values())) < 2:
        return
    told = _told(counts)
    if weighted:
        yield (
            f"routers are told of the endpoints of each node ({told}); one that does not listen to "
            "link bandwidth (RFC 10005) gives each node the same share"
        )
        return
    most, least = max(counts.values()), min(counts.values())
    yield (
        f"uneven: each of {counted(len(counts), 'node')} gets the same share, whatever its "
        f"endpoints ({told}), so an endpoint on a node with {least} gets {most / least:.2g} times "
        f"as much as one on a node with {most}; spec.weight: endpoints in the BGPAdvertisement "
        "tells routers, and topologySpreadConstraints spread the pods"
    )


def _told(counts: Mapping[str, int]) -> str:
    names = sorted(counts, key=lambda node: (-counts[node], node))
    shown = [f"{node} {counts[node]}" for node in names[:_MOST_NODES]]
    more = f" and {len(names) - _MOST_NODES} more" if len(names) > _MOST_NODES else ""
    return ", ".join(shown) + more
