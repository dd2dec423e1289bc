"""What is wrong with ExaBGP 5.0.15 for our purpose, one name for each mend.

A mend lives where it acts: the class that takes ExaBGP's seat there says what goes wrong
without it. Each can be left out with `--without-mend NAME`, which only tests do, so that a test
shows the fault and its cure.
"""

from enum import StrEnum


class Mend(StrEnum):
    """The mends, by what they make true."""

    RESPAWN = "respawn"
    """A reflex that dies, however often, never ends ExaBGP."""
    PIPE = "pipe"
    """A reflex that does not read its stdin never blocks the reactor."""
    WATCHDOG = "watchdog"
    """A reflex that hangs is killed and started again."""
    RELOAD = "reload"
    """A reload happens, also while a peer is down with queued routes."""
    COMPARE = "compare"
    """A peer is re-established when anything about its connection changed."""
    REPLACE = "replace"
    """Of two changes of one route between two flushes, the later one reaches the peer."""
    WITHDRAW_FIRST = "withdraw-first"
    """Withdrawals leave before what replaces them, so that a prefix limit holds."""
    NEXT_HOP = "next-hop"
    """IPv4 routes over an IPv6 session carry the next hop that was asked for."""
    FORWARDING = "forwarding"
    """After a boot no router is told that packets were forwarded meanwhile (RFC 4724)."""
    SIGTERM = "sigterm"
    """Being stopped is an orderly affair: drain, withdraw, Cease, exit."""
    RECONNECT = "reconnect"
    """A session is back within seconds after the router is, however long it was away."""
    CAP = "cap"
    """What a router missed is repeated each second, where the kernel can (Linux 6.15)."""
    PROD = "prod"
    """Where it cannot, the router is asked each second, where we may (CAP_NET_ADMIN)."""
    OUTBOX = "outbox"
    """Messages leave whole and in order on a connection that takes them in pieces."""
    IDLE = "idle"
    """Waiting costs nothing: the reactor sleeps until something can happen."""
    CLOCK = "clock"
    """Setting the wall clock expires no hold timer."""
    STDERR = "stderr"
    """Whoever reads the log may stall for as long as they like."""
    REDACT = "redact"
    """A configuration that does not load is reported without the keys in it."""
    AFRESH = "afresh"
    """A configuration that does not load spoils none that follows."""
