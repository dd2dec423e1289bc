"""What one peer is offered, in the seat of ExaBGP's `OutgoingRIB`.

ExaBGP keeps two things: a cache of what the peer has been offered, and a queue of changes in
buckets, one for each set of attributes, that one UPDATE each can carry. The order of buckets is
the order on the wire.
"""

from collections.abc import Iterator
from typing import Any

from exabgp.bgp.message import Action, Update
from exabgp.protocol.family import AFI
from exabgp.rib import outgoing

from bgpd.exabgp.mends import Mend


class AdjRibOut(outgoing.OutgoingRIB):  # type: ignore[misc]
    """Adj-RIB-Out of one peer (RFC 4271, section 3.2), with our order of changes."""

    without: frozenset[Mend] = frozenset()
    """Set once, by the launcher, for all of them."""

    extended_next_hop = False
    """The peer understands IPv4 routes with an IPv6 next hop (RFC 8950)."""

    _new_attr_af_nlri: dict[Any, Any]
    _new_nlri: dict[Any, Any]
    _kept: dict[Any, Any] | None = None
    """What the peer may still have of earlier sessions."""

    def change(self, change: Any) -> None:
        """Queue *change* in place of whatever is queued for its prefix.

        ExaBGP adds to the new bucket and leaves the old one as it is. Of A, B, A queued
        between two flushes the first bucket then sends A and the second B, while the cache
        says A; the next A is suppressed as known, and B stays on the router for good.
        """
        if change.nlri.action == Action.ANNOUNCE and self.in_cache(change):
            return
        if Mend.REPLACE not in self.without:
            self._forget(change)
        self._update_rib(change)

    def add_to_rib(self, change: Any, force: bool = False) -> None:
        """Queue *change* as ExaBGP asks for, after a session came up."""
        if force and Mend.REPLACE not in self.without:
            self._forget(change)
        super().add_to_rib(change, force)

    def reset(self) -> None:
        """Note that a session ended; ExaBGP calls this, also after an attempt that failed.

        A peer that keeps our routes over a restart (RFC 4724) counts them against its limit until
        it hears End-of-RIB. What was replaced meanwhile has to be taken back first: at a limit of
        ten, nine stale routes and two new ones end the session that has just come up.
        """
        queued = (c for c in self._new_nlri.values() if c.nlri.action == Action.WITHDRAW)
        known = {change.index(): change for change in (*self.cached_changes(), *queued)}
        self._kept = {**(self._kept or {}), **known}
        super().reset()

    def replace_restart(self, previous: Any, new: Any) -> None:
        """Queue everything for a session that came up; ExaBGP calls this."""
        super().replace_restart(previous, new)
        kept, self._kept = self._kept or {}, None
        if Mend.WITHDRAW_FIRST in self.without:
            return
        for index in kept.keys() - {change.index() for change in self.cached_changes()}:
            self.del_from_rib(kept[index])

    def offered(self) -> list[Any]:
        """Return the changes that make up what the peer is offered now."""
        return list(self.cached_changes())

    def updates(self, grouped: bool) -> Iterator[Any]:
        """Yield the UPDATEs for all that is queued: withdrawals first, IPv6 grouped too.

        In ExaBGP's order an announcement may precede a withdrawal. A peer at its prefix limit
        then counts one too many and ends the session. ExaBGP also sends one UPDATE for each
        IPv6 prefix, and would send an IPv6 next hop to a peer that cannot read it.
        """
        buckets: dict[Any, Any] = self._new_attr_af_nlri
        if len(buckets) > 1 and Mend.WITHDRAW_FIRST not in self.without:
            self._new_attr_af_nlri = dict(
                sorted(buckets.items(), key=lambda item: not _withdraws(item[1]))
            )
        held: Any = None
        for update in super().updates(grouped):
            if isinstance(update, Update):
                update.nlris = [nlri for nlri in update.nlris if self._readable(nlri)]
                if not update.nlris:
                    continue
                if held is not None and _alike(held, update):
                    held.nlris.extend(update.nlris)
                    continue
            if held is not None:
                yield held
            held = update if isinstance(update, Update) else None
            if held is None:
                yield update
        if held is not None:
            yield held

    def _readable(self, nlri: Any) -> bool:
        return (
            nlri.action == Action.WITHDRAW
            or nlri.afi != AFI.ipv4
            or nlri.nexthop.afi == AFI.ipv4
            or self.extended_next_hop
        )

    def _forget(self, change: Any) -> None:
        index = change.index()
        queued = self._new_nlri.pop(index, None)
        if queued is None:
            return
        family = queued.nlri.family().afi_safi()
        bucket = self._new_attr_af_nlri.get(queued.attributes.index(), {}).get(family, {})
        bucket.pop(index, None)


def _alike(one: Any, other: Any) -> bool:
    return one.attributes is other.attributes and one.nlris[0].afi == other.nlris[0].afi


def _withdraws(bucket: Any) -> bool:
    return any(
        change.nlri.action == Action.WITHDRAW
        for changes in bucket.values()
        for change in changes.values()
    )
