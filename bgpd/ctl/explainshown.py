"""What a person sees of an explanation, and what a program does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bgpd.ctl import explain, explaintext
from bgpd.ctl.columns import wrapped
from bgpd.ctl.explainlink import Chain
from bgpd.ctl.view import View

if TYPE_CHECKING:
    from bgpd.ctl.explainpending import Pending


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a person sees, and what a program does."""

    text: str
    document: Mapping[str, object] = field(default_factory=dict)
    known: bool = True
    """Whether anything is known of what was asked for."""
    well: bool = True
    """Of a node: whether it can be rebooted without loss."""
    silent: bool = False
    """Whether neither agent nor speaker answered: what is not known here may be so for a moment."""


def shown_of(
    view: View,
    what: str,
    found: Sequence[Chain],
    *,
    now: float,
    notes: Sequence[str] = (),
    waiting: "Sequence[Pending]" = (),
) -> Shown:
    """Return the chains *found*, *notes*, what waits, and the facts that no chain tells."""
    facts = tuple(
        one for one in explain.explain(view, what, now=now) if not (found and one.routing)
    )
    said = "".join(f"{wrapped(one, indent='  ')}\n" for one in notes)
    text = explaintext.chains_text(found) + said + waiting_text(waiting) + explain.report(facts)
    return Shown(
        text=text or ("" if what else _calm(view)),
        document={
            **explain.document(facts, explaintext.chains_document(found)),
            "pending": waiting_document(waiting),
            "notes": list(notes),
        },
        known=bool(found or facts or waiting) or not what,
    )


def _calm(view: View) -> str:
    """Return that all is well, with what we may not know: silence could mean that nobody asked."""
    known = f", as far as it may be asked: {view.unasked}" if view.unasked else ""
    calm = f"nothing to explain: on {view.node} all is as it should be{known}"
    return f"{wrapped(calm, indent='  ')}\n"


def waiting_text(waiting: "Sequence[Pending]") -> str:
    """Return what the allocator says; it is imported where a Service waits, and nowhere else."""
    if not waiting:
        return ""
    from bgpd.ctl.explainpending import pending_text  # noqa: PLC0415

    return "".join(map(pending_text, waiting))


def waiting_document(waiting: "Sequence[Pending]") -> list[dict[str, object]]:
    """Return the same for programs."""
    if not waiting:
        return []
    from bgpd.ctl.explainpending import pending_document  # noqa: PLC0415

    return [pending_document(one) for one in waiting]
