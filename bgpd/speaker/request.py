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
