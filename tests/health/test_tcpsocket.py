"""What is made of what is said on a connection."""

from bgpd.health.outcome import Fault, Outcome
from bgpd.health.tcpsocket import TCPExchange, TCPRecipe
from bgpd.model.health import TCPSocket


def exchange(send: str = "", expect: str = "") -> TCPExchange:
    """Return an exchange whose data is sent."""
    made = TCPRecipe(TCPSocket(send=send, expect=expect)).exchange(0)
    assert made.data_to_send() == send.encode()
    assert made.data_to_send() == b""
    return made


def test_a_connection_is_enough_where_nothing_is_expected() -> None:
    """What is sent is sent, and nobody waits for a word."""
    assert exchange(send="QUIT\r\n").sent(0.0) == Outcome(True, "accepted the connection")


def test_what_is_expected_may_come_in_pieces() -> None:
    """A greeting that is cut anywhere is still heard."""
    made = exchange(expect="220 ready")
    assert made.sent(0.0) is None
    assert made.receive(b"ESMTP 22", 0.0) is None
    assert made.receive(b"0 read", 0.0) is None
    assert made.receive(b"y\r\n", 0.0) == Outcome(True, 'said "220 ready"')


def test_something_else_is_quoted() -> None:
    """Whoever closes, or goes silent, after something else is quoted."""
    made = exchange(expect="220")
    assert made.missing() == 'accepted the connection, said nothing instead of "220"'
    assert made.receive(b"421 busy\r\n", 0.0) is None
    said = 'said "421 busy··" instead of "220"'
    assert made.missing() == f"accepted the connection, {said}"
    assert made.ended() == Outcome(False, f"closed the connection, {said}", Fault.CLOSED)


def test_listening_ends_after_64_kib() -> None:
    """A firehose is not an answer."""
    made = exchange(expect="220")
    outcomes = [made.receive(b"x" * 4096, 0.0) for _ in range(16)]
    assert outcomes[:15] == [None] * 15
    assert outcomes[15] == Outcome(False, 'did not say "220" within 64 KiB', Fault.UNEXPECTED)
