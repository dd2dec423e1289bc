"""Ask a name server a question whose answer is known, by UDP or TCP."""

import ipaddress
from typing import Final

from bgpd.health.dnsmessage import (
    Answer,
    RecordType,
    decode_answer,
    encode_name,
    encode_query,
    number_of,
)
from bgpd.health.outcome import Fault, Outcome, failed, healthy, quoted
from bgpd.model.errors import ProtocolError
from bgpd.model.health import DNS

_SHOWN: Final = 3


class DNSRecipe:
    """The question, and what is expected of an answer."""

    __slots__ = ("expected", "kind", "name", "rcode", "tcp")

    def __init__(self, probe: DNS) -> None:
        """Raise `ValueError` where the question cannot be asked."""
        try:
            self.kind = RecordType[probe.type.upper()]
        except KeyError:
            known = ", ".join(kind.name for kind in RecordType)
            raise ValueError(f"type: {probe.type!r} must be one of {known}") from None
        encode_name(probe.name)
        self.name = probe.name
        self.rcode = probe.rcode.upper()
        self.expected = {_canonical(self.kind, text): text for text in probe.answers}
        self.tcp = probe.tcp

    def exchange(self, token: int) -> "DNSExchange":
        """Return a new query with the lowest 16 bits of *token* as its number."""
        return DNSExchange(self, token & 0xFFFF)

    def judge(self, answer: Answer) -> Outcome:
        """Return what *answer* to the question means."""
        if answer.rcode != self.rcode:
            return failed(
                Fault.UNEXPECTED, f"answered {answer.rcode} for {self._asked}, not {self.rcode}"
            )
        found = [record.text for record in answer.records if record.kind == self.kind]
        heard = {_canonical(self.kind, text) for text in found}
        lacking = [text for canonical, text in self.expected.items() if canonical not in heard]
        if lacking:
            return self._without(f"without {quoted(lacking[0])}", answer, found)
        if not found and self.rcode == "NOERROR":
            return self._without(f"without any {self.kind.name}", answer, found)
        return healthy(f"answered {self._asked}: {_listed(found) or answer.rcode}")

    @property
    def _asked(self) -> str:
        return f"{quoted(self.name)} {self.kind.name}"

    def _without(self, what: str, answer: Answer, found: list[str]) -> Outcome:
        instead = f", but: {_listed(found)}" if found else ""
        cut = "; the answer was cut short, ask with tcp: true" if answer.truncated else ""
        return failed(Fault.UNEXPECTED, f"answered {self._asked} {what}{instead}{cut}")


class DNSExchange:
    """One query and its answer (`bgpd.health.exchange.Exchange`), for datagrams or a stream."""

    __slots__ = ("_buffer", "_number", "_recipe", "_sent", "_wrong")

    def __init__(self, recipe: DNSRecipe, number: int) -> None:
        self._recipe = recipe
        self._number = number
        self._sent = False
        self._buffer = b""
        self._wrong = ""

    def data_to_send(self) -> bytes:
        """Return the query, once; on a stream with its length before it (section 4.2.2)."""
        if self._sent:
            return b""
        self._sent = True
        query = encode_query(self._number, self._recipe.name, self._recipe.kind)
        return len(query).to_bytes(2) + query if self._recipe.tcp else query

    def sent(self, wall: float) -> None:
        """Return nothing: only an answer will tell."""

    def receive(self, data: bytes, wall: float) -> Outcome | None:
        """Take in a datagram, or a piece of a stream."""
        del wall
        if not self._recipe.tcp:
            return self._message(data)
        self._buffer += data
        if len(self._buffer) < 2:
            return None
        length = int.from_bytes(self._buffer[:2])
        if len(self._buffer) < 2 + length:
            return None
        verdict = self._message(self._buffer[2 : 2 + length])
        return verdict or failed(Fault.MALFORMED, f"answered {self._wrong}")

    def ended(self) -> Outcome:
        """Return what a closed connection means here."""
        how = "within its answer" if self._buffer else "without an answer"
        return failed(Fault.CLOSED, f"closed the connection {how}")

    def missing(self) -> str:
        """Return what came instead of an answer."""
        if self._wrong:
            return f"answered nothing but {self._wrong}"
        return "did not end its answer" if self._buffer else "did not answer"

    def _message(self, data: bytes) -> Outcome | None:
        """Judge one message; what may come from somebody else is only noted (RFC 5452)."""
        if number_of(data) != self._number:
            self._wrong = "with another query's number"
            return None
        try:
            answer = decode_answer(data)
        except ProtocolError as error:
            return failed(Fault.MALFORMED, f"answered what is not DNS: {error}")
        asked = self._recipe.name.lower().removesuffix(".")
        if answer.name != asked and (answer.name or answer.rcode == "NOERROR"):
            self._wrong = f"to another question, {quoted(answer.name)}"
            return None
        return self._recipe.judge(answer)


def _canonical(kind: RecordType, text: str) -> str:
    """Return *text* so that two ways to write the same data are equal."""
    if kind is RecordType.TXT:
        return text
    if kind in {RecordType.A, RecordType.AAAA}:
        try:
            return str(ipaddress.ip_address(text.strip()))
        except ValueError:
            raise ValueError(f"answers: {text!r} is not an address") from None
    return " ".join(part.lower().removesuffix(".") or "." for part in text.split())


def _listed(found: list[str]) -> str:
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(quoted(text)[1:-1] for text in found[:_SHOWN]) + more
