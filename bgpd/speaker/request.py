"""A person's wish that this node be drained, as it is kept on the disk."""

import msgspec


class DrainRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Drain this node until somebody says otherwise."""

    forced: bool = False
    """Whether what nobody else carries goes, too."""
    patient: bool = False
    """Whether the person accepts that such routes stay until another node carries them."""
    since: float = 0.0
    """Wall clock, seconds since the epoch, for people."""
    boot: str = ""
    """The boot that it ends with; empty: it holds until `undrain`."""
    then: "DrainRequest | None" = None
    """What holds when that boot is over: an earlier request without an end."""

    def after(self, before: "DrainRequest") -> "DrainRequest":
        """Return what holds when this is asked for after *before*.

        A person who says it twice may want more, and never less: that is `undrain`. So what the
        unit of a shutdown asks until the next boot ends no drain that holds beyond it.
        """
        lasting = before.then if before.boot else before
        return msgspec.structs.replace(
            self,
            forced=self.forced or before.forced,
            since=before.since,
            then=lasting if self.boot else None,
        )
