"""What people hear of an API server that does not give what is watched, one sentence for each."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from bgpd.kube.course import Reason, Trouble
from bgpd.model.status import Condition

_APART: Final = frozenset({Reason.FORBIDDEN, Reason.REFUSED, Reason.PAST})
"""What each resource has a reason of its own for; the rest is about the server, and said once."""
_STAYS: Final = "what was in force stays"
_SENTENCES: Final[Mapping[Reason, str]] = {
    Reason.UNREACHABLE: "API server {where}: {why}; " + _STAYS,
    Reason.UNTRUSTED: "API server {where} is not trusted: {why}; check certificates and token",
    Reason.UNAUTHORIZED: "API server {where} does not accept who we are: {why}; renew the token "
    "or certificate",
    Reason.FORBIDDEN: "API server {where} forbids us to list and watch {words}: {why}; bind the "
    "role of this program to its ServiceAccount; " + _STAYS,
    Reason.MISSING: "API server {where} does not know {words}; install bgpd's CRDs; " + _STAYS,
    Reason.REFUSED: "API server {where} refuses {words}: {why}; " + _STAYS,
    Reason.PAST: "API server {where}: {words}: {why}; " + _STAYS + "; if a backup was restored, "
    "run bgpctl accept",
}


def conditions(troubles: Iterable[tuple[str, Trouble]], where: str) -> Iterator[Condition]:
    """Yield a condition for what resources have in common; *troubles* are those of each by word."""
    found: dict[tuple[Reason, str], list[tuple[str, Trouble]]] = {}
    for word, trouble in troubles:
        apart = trouble.why if trouble.reason in _APART else ""
        found.setdefault((trouble.reason, apart), []).append((word, trouble))
    for (reason, _), them in found.items():
        words = ", ".join(word for word, _ in them)
        why = min(trouble.why for _, trouble in them)
        yield Condition(
            type="SourceDegraded",
            status=True,
            reason=reason.value,
            message=sentence(reason, where=where, why=why, words=words),
        )


def sentence(reason: Reason, *, where: str, why: str, words: str = "") -> str:
    """Return what is said of the server at *where*, and of the resources *words*."""
    return _SENTENCES[reason].format(where=where, why=why, words=words)
