"""A chain of decisions for people, and for programs: what passed is short, what stops is not."""

import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from bgpd.ctl.columns import WIDTH, printable, wrapped
from bgpd.ctl.explainlink import Chain, Link, PeerChain, Step

_MARKS: Final = {
    Step.PASSED: "✓",
    Step.STOPS: "✗",
    Step.NOT_REACHED: "·",
    Step.UNKNOWN: "?",
}
_NAME: Final = 13
"""Columns for the name of a gate."""
_INDENT: Final = " " * (4 + _NAME + 2)


def chains_text(chains: Iterable[Chain]) -> str:
    """Return *chains* in 80 columns, an empty line between two of them."""
    return "\n".join(map(_chain, chains))


def chains_document(chains: Iterable[Chain]) -> list[dict[str, object]]:
    """Return *chains* as the items of a document."""
    return [
        {
            "node": one.node,
            "service": one.service,
            "prefix": one.prefix,
            "advertised": any(peer.heard for peer in one.peers),
            "reason": one.stop.reason.value if one.stop is not None and one.stop.reason else "",
            "gates": [_gate(link) for link in one.links],
            "peers": [
                {
                    "peer": peer.peer,
                    "session": peer.session,
                    "hears": peer.heard,
                    "sent": peer.sent,
                    "rank": peer.rank,
                    "because": peer.because,
                    "gates": [_gate(link) for link in peer.links],
                }
                for peer in one.peers
            ],
            "sharing": list(one.sharing),
            "unknown": one.unknown,
        }
        for one in chains
    ]


def headline(chain: Chain) -> str:
    """Return in one sentence what becomes of it."""
    who = [one.peer for one in chain.peers if one.heard]
    if who:
        return f"advertised to {', '.join(who)}"
    stop = chain.stop
    if stop is None:
        return "nobody here knows"
    # The whole sentence stands at the gate.
    return (
        f"not advertised: {stop.reason.value if stop.reason else stop.sentence.partition(':')[0]}"
    )


def _gate(link: Link) -> dict[str, object]:
    return {
        "gate": link.gate,
        "step": link.step.value,
        "sentence": link.sentence,
        "reason": link.reason.value if link.reason is not None else "",
        "change": link.change,
    }


def _chain(chain: Chain) -> str:
    name = " ".join(filter(None, (chain.service, chain.prefix)))
    where = f" on {chain.node}" if chain.node else ""
    lines = [wrapped(f"{name}{where}: {headline(chain)}", indent="  ")]
    lines += _links(chain.links)
    for peer in chain.peers:
        lines += _peer(peer)
    if chain.sharing:
        lines.append(wrapped(f"shared with {', '.join(chain.sharing)}", indent="  "))
    if chain.unknown:
        lines.append(wrapped(f"not known: {chain.unknown}", indent="  "))
    return "".join(f"{line}\n" for line in lines)


def _peer(peer: PeerChain) -> Iterator[str]:
    yield wrapped(f"to {peer.peer} ({peer.session})", indent="  ")
    yield from _links(peer.links)
    if peer.sent:
        yield _hanging("sent", peer.sent)
    if peer.because:
        yield _hanging("because", f"rank {peer.rank}: {peer.because}")


def _links(links: Iterable[Link]) -> Iterator[str]:
    for silent, group in groupby(links, key=_is_silent):
        found = list(group)
        if silent:
            for step, alike in groupby(found, key=lambda one: one.step):
                names = ", ".join(one.gate for one in alike)
                words = f"not reached: {names}" if step is Step.NOT_REACHED else names
                yield wrapped(f"  {_MARKS[step]} {words}", indent="    ")
            continue
        for one in found:
            yield from _link(one)


def _is_silent(link: Link) -> bool:
    return link.step is Step.NOT_REACHED or (link.step is Step.PASSED and not link.sentence)


def _link(link: Link) -> Iterator[str]:
    said = f"{link.reason.value}: {link.sentence}" if link.reason is not None else link.sentence
    yield _hanging(link.gate, said, mark=_MARKS[link.step])
    if link.change:
        yield _hanging("", f"change it: {link.change}")


def _hanging(name: str, text: str, *, mark: str = " ") -> str:
    return textwrap.fill(
        printable(text),
        WIDTH,
        initial_indent=f"  {mark} {name:<{_NAME}}  ",
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
    )
