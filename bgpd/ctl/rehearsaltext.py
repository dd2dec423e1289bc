"""A rehearsal for people and for programs: what would begin, end and change, node after node."""

from collections.abc import Sequence

from bgpd.ctl.columns import counted, wrapped
from bgpd.ctl.document import API_VERSION
from bgpd.ctl.rehearsal import Change, Rehearsal, Turn

_MARKS = {Change.BEGINS: "+", Change.ENDS: "-", Change.CHANGES: "~"}
_SHOWN = 5
_LIMITS = "probes that fail, boots, sessions that a provider tells of: each node's own"


def rehearsal_text(found: Rehearsal) -> str:
    """Return *found* in 80 columns: alike turns of several nodes are one."""
    lines = [f"error: {one}" for one in found.refused]
    lines += [f"warning: {one}" for one in found.notes]
    lines.append(_headline(found))
    for (change, detail, nodes), prefixes in sorted(_alike(found).items()):
        why = f": {detail}" if detail else ""
        lines.append(
            f"{_MARKS[change]} {_some(prefixes)} "
            f"{change.value if len(prefixes) == 1 else _PLURAL[change]} on {_some(nodes)}{why}"
        )
    lines.append(f"not rehearsed: {_LIMITS}")
    return "".join(f"{wrapped(line, indent='    ')}\n" for line in lines)


def rehearsal_document(found: Rehearsal) -> dict[str, object]:
    """Return *found* for programs."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Rehearsal",
        "nodes": list(found.nodes),
        "refused": list(found.refused),
        "warnings": list(found.notes),
        "routes": [
            {
                "node": one.node,
                "peer": one.peer,
                "prefix": one.prefix,
                "change": one.change.value,
                "detail": one.detail,
            }
            for one in found.turns
        ],
        "notRehearsed": _LIMITS,
    }


def _alike(found: Rehearsal) -> dict[tuple[Change, str, tuple[str, ...]], list[str]]:
    """Return the prefixes with which the same happens on the same nodes."""
    turns: dict[tuple[str, Change, str], list[Turn]] = {}
    for one in found.turns:
        turns.setdefault((one.prefix, one.change, one.detail), []).append(one)
    grouped: dict[tuple[Change, str, tuple[str, ...]], list[str]] = {}
    for (prefix, change, detail), several in sorted(turns.items()):
        nodes = tuple(dict.fromkeys(one.node for one in several))
        grouped.setdefault((change, detail, nodes), []).append(prefix)
    return grouped


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _headline(found: Rehearsal) -> str:
    nodes = counted(len(found.nodes), "node")
    if not found.turns:
        return f"no route would change on {nodes}"
    parts = []
    for change in Change:
        count = sum(one.change is change for one in found.turns)
        if count:
            parts.append(f"{count} {change.value if count == 1 else _PLURAL[change]}")
    return f"routes on {nodes}: {', '.join(parts)}"


_PLURAL = {Change.BEGINS: "begin", Change.ENDS: "end", Change.CHANGES: "change"}
