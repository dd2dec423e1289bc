"""What became of one request to the API server, for whoever decides what to do about it."""

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from bgpd.kube.watchline import Status, status


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the server answered."""

    code: int
    body: bytes = b""
    told: float = 0.0
    """Seconds that the server asks to wait (Retry-After)."""

    @property
    def good(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.code < 300

    @property
    def error(self) -> Status:
        """The error in the server's words."""
        return status(self.body, code=self.code)

    @property
    def words(self) -> str:
        """The error for a sentence."""
        error = self.error
        return f"{self.code} {error.reason}: {error.message}".rstrip(": ")

    @property
    def homeless(self) -> bool:
        """Whether what was to be made has no namespace, or one that is being deleted."""
        return self.code == 404 or (
            self.code == 403 and "NamespaceTerminating" in self.error.causes
        )

    @property
    def wait(self) -> float:
        """Seconds that the server asks to wait, in whichever place it says so."""
        return max(self.told, self.error.retry_after)

    @property
    def document(self) -> dict[str, Any]:
        """The object that came back; empty where it is none."""
        try:
            found = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Why there is no answer."""

    why: str
    untrusted: bool = False
    """Whether who answers cannot prove to be the server, or we cannot say who we are."""


def written(outcome: Reply | Unanswered) -> Literal["written", "conflict", "failed"]:
    """Return the word for what became of a write."""
    if isinstance(outcome, Unanswered):
        return "failed"
    if outcome.good:
        return "written"
    return "conflict" if outcome.code == 409 else "failed"
