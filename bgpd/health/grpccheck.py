"""Ask a gRPC server by its health service (`grpc.health.v1.Health/Check`) whether it serves."""

from typing import Final

from bgpd.health.exchange import MOST_RECEIVED
from bgpd.health.http2 import Call
from bgpd.health.job import Job
from bgpd.health.outcome import Fault, Outcome, failed, healthy, quoted
from bgpd.model.errors import ProtocolError
from bgpd.model.health import GRPC

_SERVING: Final = 1
_SERVINGS: Final = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
_LONGEST_SERVICE: Final = 1024
_STATUSES: Final = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip


class GRPCRecipe:
    """The call, as fields and body."""

    __slots__ = ("body", "fields")

    def __init__(self, job: Job, probe: GRPC) -> None:
        """Raise `ValueError` where the call cannot be written down."""
        service = probe.service.encode()
        if len(service) > _LONGEST_SERVICE:
            raise ValueError(f"service: {len(service)} bytes must be {_LONGEST_SERVICE} at most")
        message = b"\x0a" + _varint(len(service)) + service if service else b""
        self.body = b"\0" + len(message).to_bytes(4) + message
        name = probe.tls.server_name if probe.tls is not None else ""
        self.fields = [
            (":method", "POST"),
            (":scheme", "http" if probe.tls is None else "https"),
            (":path", "/grpc.health.v1.Health/Check"),
            (":authority", f"{name}:{job.port}" if name else job.subject),
            ("te", "trailers"),  # codespell:ignore te
            ("content-type", "application/grpc"),
            ("user-agent", "bgpd"),
            ("grpc-timeout", f"{job.rhythm.timeout_milliseconds}m"),
        ]

    def exchange(self, token: int) -> "GRPCExchange":
        """Return a new call."""
        del token
        return GRPCExchange(self)


class GRPCExchange:
    """One call and its answer (`bgpd.health.exchange.Exchange`)."""

    __slots__ = ("_call", "_received")

    def __init__(self, recipe: GRPCRecipe) -> None:
        self._call = Call(recipe.fields, recipe.body)
        self._received = 0

    def data_to_send(self) -> bytes:
        """Return the call, later what HTTP/2 has us say."""
        data, self._call.outgoing = self._call.outgoing, b""
        return data

    def sent(self, wall: float) -> None:
        """Return nothing: only an answer will tell."""

    def receive(self, data: bytes, wall: float) -> Outcome | None:
        """Take in a piece of the answer."""
        del wall
        self._received += len(data)
        call = self._call
        try:
            call.receive(data)
            if call.ended:
                return self._judge()
        except ProtocolError as error:
            what = "HTTP/2" if not call.settled else "a gRPC answer"
            return failed(Fault.MALFORMED, f"answered what is not {what}: {error}")
        if call.refusal:
            return failed(Fault.UNEXPECTED, f"refused the call: {call.refusal}")
        if self._received >= MOST_RECEIVED:
            return failed(Fault.MALFORMED, "answered more than 64 KiB")
        return None

    def ended(self) -> Outcome:
        """Return what a closed connection means here."""
        how = "within its answer" if self._call.heads else "without an answer"
        return failed(Fault.CLOSED, f"closed the connection {how}")

    def missing(self) -> str:
        """Return how far the answer came."""
        if self._call.heads:
            return "began an answer that did not end"
        if self._call.settled:
            return "speaks HTTP/2 but did not answer"
        return "accepted the connection but did not answer"

    def _judge(self) -> Outcome:
        """Return what the whole answer means."""
        if not self._call.heads:
            raise ProtocolError("it has no header fields")
        http = self._call.heads[0].get(":status", "no status")
        if http != "200":
            return failed(Fault.UNEXPECTED, f"answered HTTP {quoted(http)[1:-1]}, not gRPC")
        status = self._call.heads[-1].get("grpc-status", "")
        if status != "0":
            return failed(Fault.UNEXPECTED, f"answered {self._status(status)}")
        serving = serving_status(bytes(self._call.body))
        if serving == _SERVING:
            return healthy("answered SERVING")
        said = _SERVINGS[serving] if serving < len(_SERVINGS) else f"status {serving}"
        return failed(Fault.UNEXPECTED, f"answered {said}, expected SERVING")

    def _status(self, status: str) -> str:
        number = int(status) if status.isdecimal() and status.isascii() and len(status) < 4 else -1
        known = _STATUSES[number] if 0 <= number < len(_STATUSES) else f"grpc-status {status!r:.20}"
        said = self._call.heads[-1].get("grpc-message", "")
        return f"{known}: {quoted(said)}" if said else known


def serving_status(data: bytes) -> int:
    """Return the status of a HealthCheckResponse with its gRPC prefix; 0 where it has none."""
    if len(data) < 5 or len(data) != 5 + int.from_bytes(data[1:5]):
        raise ProtocolError("its message does not have the length that it says")
    if data[0]:
        raise ProtocolError("its message is compressed, which we did not ask for")
    at, status = 5, 0
    while at < len(data):
        key, at = _read(data, at)
        match key & 7:
            case 0:
                value, at = _read(data, at)
                status = value if key >> 3 == 1 else status
            case 2:
                length, at = _read(data, at)
                at += length
            case 1 | 5 as wire:
                at += 8 if wire == 1 else 4
            case wire:
                raise ProtocolError(f"its message holds wire type {wire}")
    if at != len(data):
        raise ProtocolError("its message ends too early")
    return status


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 128:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes(encoded) + bytes([value])


def _read(data: bytes, at: int) -> tuple[int, int]:
    """Return the varint at *at* and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ProtocolError("its message ends too early")
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
    raise ProtocolError("its message holds a number that is too long")
