"""A migration for people: 80 columns, what needs them first; and the same for programs."""

from collections.abc import Iterator
from dataclasses import replace

from bgpd.ctl.columns import columns, counted, printable, wrapped
from bgpd.ctl.document import API_VERSION, plain
from bgpd.migrate.check import Check
from bgpd.migrate.finding import Finding, Verdict
from bgpd.migrate.stand import NodeStand, Stand, Step

_HEADS = {Verdict.PERSON: "NEEDS A PERSON", Verdict.DIFFERS: "DIFFERS"}


def check_table(found: Check) -> str:
    """Return `bgpctl migrate check` for people."""
    return "\n".join("".join(block) for block in _blocks(found) if block)


def check_document(found: Check) -> dict[str, object]:
    """Return `bgpctl migrate check` for programs."""
    return {
        "apiVersion": API_VERSION,
        "kind": "MigrationCheck",
        "ready": found.ready,
        "findings": [plain(one) for one in found.findings],
        "carries": dict(found.carries),
    }


def stand_table(at: Stand) -> str:
    """Return `bgpctl migrate` for people."""
    lines = [wrapped(f"{_TITLES[at.step]}: {at.why}", indent="  ") + "\n"]
    lines += [wrapped(f"warning: {one}", indent="  ") + "\n" for one in at.warnings]
    if at.step is not Step.NOTHING and at.nodes:
        header = ("NODE", "SPEAKER", "SESSIONS", "LEVER", "GENERATION", "ALONE CARRIES")
        lines.append("\n" + columns(header, map(_node, at.nodes), flexible=(0, 5)))
    if at.commands:
        lines += ["\nNEXT\n", *(f"  {one}\n" for one in at.commands)]
    if at.back:
        lines += ["\nTO GO BACK\n", *(f"  {one}\n" for one in at.back)]
    return "".join(lines)


def stand_document(at: Stand) -> dict[str, object]:
    """Return `bgpctl migrate` for programs."""
    found = plain(replace(at, nodes=()))
    assert isinstance(found, dict)
    nodes = [{**_fields(one), "moved": one.moved} for one in at.nodes]
    return {"apiVersion": API_VERSION, "kind": "Migration", **found, "nodes": nodes}


_TITLES = {
    Step.NOTHING: "nothing to do",
    Step.INSTALL: "step 1, install",
    Step.COPY: "step 2, copy",
    Step.GIVE_WAY: "step 3, let MetalLB give way",
    Step.MOVE: "step 4, move the nodes one by one",
    Step.WAIT: "step 4, wait",
    Step.STOP_CONTROLLER: "step 5, stop MetalLB's controller",
    Step.FINISH: "step 6, finish",
    Step.REMOVE: "step 7, remove MetalLB",
}


def _blocks(found: Check) -> Iterator[list[str]]:
    for verdict, head in _HEADS.items():
        some = [one for one in found.findings if one.verdict is verdict]
        if some:
            yield [f"{head}\n", *_findings(some)]
    whole = ", ".join(_counted(number, kind) for kind, number in found.carries.items())
    yield [wrapped(f"carries over as it is: {whole or 'nothing'}", indent="  ") + "\n"]
    persons = sum(one.verdict is Verdict.PERSON for one in found.findings)
    yield [
        f"{counted(persons, 'thing')} need{'s' if persons == 1 else ''} a person\n"
        if persons
        else "nothing is in the way\n"
    ]


def _findings(some: list[Finding]) -> Iterator[str]:
    subject = ""
    for one in some:
        if one.subject != subject:
            subject = one.subject
            yield f"{wrapped(subject, indent='  ')}\n"
        what = f"{one.field}: {one.what}" if one.field else one.what
        yield "  " + wrapped(what, width=78, indent="    ") + "\n"
        if one.todo:
            yield "    " + wrapped(f"-> {one.todo}", width=76, indent="       ") + "\n"


def _counted(number: int, kind: str) -> str:
    if number == 1:
        return f"1 {kind}"
    plural = {"address": "addresses", "Community": "Communities"}.get(kind, f"{kind}s")
    return f"{number} {plural}"


def _node(one: NodeStand) -> tuple[str, ...]:
    if one.metallb:
        return (one.name, "MetalLB", "", "", "", _alone(one))
    if not one.reported:
        return (one.name, "none", "", "", "", _alone(one))
    return (
        one.name,
        "bgpd",
        f"{one.established}/{one.sessions}",
        _lever(one),
        "" if one.generation is None else str(one.generation),
        _alone(one),
    )


def _lever(one: NodeStand) -> str:
    if one.held or not one.levers:
        return "none"
    return ",".join(sorted(one.levers))


def _alone(one: NodeStand) -> str:
    return printable(",".join(one.only_carrier_of))


def _fields(one: NodeStand) -> dict[str, object]:
    found = plain(one)
    assert isinstance(found, dict)
    return found
