"""What a command line of the lab asks for: its options, and the plan that they mean."""

import argparse
import os
from pathlib import Path
from typing import Any, NoReturn

from bgpd.model.peer import Lever, Takeover
from tests.lab.fault import Fault
from tests.lab.faults import FAULTS
from tests.lab.plan import (
    MOST_LOCAL_SERVICES,
    MOST_NODES,
    BfdPlan,
    FamilyChoice,
    LabError,
    Plan,
    Restart,
    RouterName,
    SourceName,
)
from tests.lab.provider import SITES, ProviderName

EX_USAGE = 2
_USUAL_SERVICES = 12

_EXIT = """exit status: 0 done (run: order and loss held in every run; a figure that missed
its target is only marked), 1 it did not hold or work, 2 wrong usage, 78 this
machine cannot make a lab, 130 Ctrl-C; exec: the command's own"""


class Parser(argparse.ArgumentParser):
    """Says one sentence about wrong usage."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        raise LabError(f"{message} ({self.prog} --help tells more)", EX_USAGE)


def parser() -> Parser:
    """Return the parser of `scripts/lab`."""
    top = Parser(
        prog="scripts/lab",
        description="Nodes, a router and a client on one machine.",
        epilog=_EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("faults", help="list the faults, a sentence each")
    up = commands.add_parser("up", help="build a lab and leave it running")
    _plan_options(up)
    _name_option(up)
    inside = commands.add_parser("exec", help="run a command on a node, the router or the client")
    _name_option(inside)
    inside.add_argument("target", metavar="NODE", help="n1, n2, …, router or client")
    inside.add_argument("words", nargs=argparse.REMAINDER, metavar="-- CMD…")
    down = commands.add_parser("down", help="end the lab that runs, and verify that it is gone")
    _name_option(down)
    run = commands.add_parser(
        "run",
        help="let a fault happen and measure",
        epilog=_EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("fault", metavar="FAULT", help="one of `scripts/lab faults`")
    _plan_options(run)
    run.add_argument("--repeat", type=int, default=1, help="how many runs (%(default)s)")
    run.add_argument(
        "--seed", type=int, default=1, help="decides nodes and source ports (%(default)s)"
    )
    run.add_argument("--verbose", action="store_true", help="each run's shares, and who was late")
    run.add_argument("--json", type=Path, metavar="FILE", help="write every figure here")
    run.add_argument("--record", type=Path, metavar="FILE", help="write the last run's packets")
    run.add_argument(
        "--scrape", type=Path, metavar="DIR", help="write every scrape of speakers and agents here"
    )
    _plan_options(commands.add_parser("serve"))  # the tests' way in: not in the help
    return top


def _plan_options(to: argparse.ArgumentParser) -> None:
    default = " (%(default)s)"
    to.add_argument(
        "--router",
        choices=[r.value for r in RouterName],
        default="bird",
        help="of what make" + default,
    )
    to.add_argument("--nodes", type=int, help="how many (3, or as many as the fault needs)")
    to.add_argument("--services", type=int, help="how many elastic IPs (12), 10 at packet")
    to.add_argument(
        "--family",
        choices=[f.value for f in FamilyChoice],
        help="IP versions (v4), dual at vultr",
    )
    to.add_argument(
        "--provider",
        choices=[p.value for p in ProviderName],
        help="a network as this provider's, with its metadata",
    )
    to.add_argument("--hold", type=int, default=90, help="hold time in seconds" + default)
    to.add_argument("--zebra-work-queue", type=int, metavar="MS", help="FRR: not its default 10")
    to.add_argument(
        "--restart",
        choices=[r.value for r in Restart],
        default="systemd",
        help="who starts a process again, so how fast" + default,
    )
    to.add_argument(
        "--source",
        choices=[s.value for s in SourceName],
        default="directory",
        help="what the agents read: files, or a real API server" + default,
    )
    to.add_argument(
        "--outage",
        type=float,
        metavar="SECONDS",
        help="how long the API is away (30; watch-cut: 15)",
    )
    to.add_argument(
        "--topology",
        choices=["one-rack", "two-racks"],
        default="one-rack",
        help="two-racks: each with its router, behind a spine" + default,
    )
    to.add_argument(
        "--lever",
        choices=[one.value for one in (Lever.MED, Lever.AS_PATH, Lever.ORIGIN)],
        help="of the peers (med)",
    )
    to.add_argument("--routers", type=int, help="1, or 2 behind an upstream (1)")
    to.add_argument("--bfd", metavar="MSxN", help="BFD between nodes and routers, as 50x3")
    to.add_argument(
        "--graceful-restart",
        type=int,
        metavar="SECONDS",
        help="how long routers keep the routes of a speaker that restarts",
    )
    to.add_argument(
        "--takeover",
        choices=[t.value for t in Takeover],
        help="of the peers: whether BFD is waited for",
    )
    to.add_argument(
        "--egress",
        action=argparse.BooleanOptionalAction,
        help="nodes leave a router that is down (needs --bfd)",
    )
    to.add_argument("--quick", action="store_true", help="shorten faults that repeat")


def _name_option(to: argparse.ArgumentParser) -> None:
    to.add_argument(
        "--name",
        default=os.environ.get("BGPD_LAB") or "lab",
        help="which lab, where several run ($BGPD_LAB, else lab)",
    )


def plan_of(options: argparse.Namespace, fault: Fault | None = None) -> Plan:
    """Return the plan that *options* ask for, or raise with a sentence."""
    least = fault.least_nodes if fault else 1
    nodes = options.nodes if options.nodes is not None else max(3, least)
    between("--nodes", nodes, least, MOST_NODES)
    provider = provider_of(options, fault)
    services = options.services
    if services is None:
        services = SITES[provider].max_prefixes or _USUAL_SERVICES if provider else _USUAL_SERVICES
    between("--services", services, 1, _most_services(provider))
    if options.hold != 0:
        between("--hold", options.hold, 3, 65535)
    usual = FamilyChoice.DUAL if provider is ProviderName.VULTR else FamilyChoice.V4
    family = FamilyChoice(options.family) if options.family else usual
    if provider and provider is not ProviderName.VULTR and family is not FamilyChoice.V4:
        raise LabError(f"--provider {provider} is for --family v4", EX_USAGE)
    router = RouterName(options.router)
    if options.zebra_work_queue is not None:
        between("--zebra-work-queue", options.zebra_work_queue, 0, 10000)
        if router is not RouterName.FRR:
            raise LabError("--zebra-work-queue is a setting of FRR: --router frr", EX_USAGE)
    if fault and fault.needs_traffic and not router.forwards:
        raise LabError(
            f"{router} is a control-plane peer here and forwards no packets, so {fault.name} "
            "cannot be measured on it: use bird or frr",
            EX_USAGE,
        )
    source = SourceName(options.source)
    if source is SourceName.KUBERNETES:
        between("--services", services, 1, MOST_LOCAL_SERVICES)
    if options.outage is not None:
        between("--outage", options.outage, 3, 600)
    awaited = fault is not None and fault.name == "router-silent"
    if source is SourceName.DIRECTORY and not awaited and (options.outage or (fault and fault.api)):
        what = fault.name if fault and fault.api else "--outage"
        raise LabError(f"{what} is about an API server: --source kubernetes", EX_USAGE)
    return Plan(
        source=source,
        outage=options.outage,
        router=router,
        nodes=nodes,
        services=services,
        family=family,
        provider=provider,
        hold=options.hold,
        restart=Restart(options.restart),
        zebra_work_queue=options.zebra_work_queue,
        quick=options.quick,
        **_routers_of(options, router, fault, provider),
    )


def provider_of(options: argparse.Namespace, fault: Fault | None) -> ProviderName | None:
    """Return whose network the lab stands for, or raise with a sentence."""
    needed = fault.needs.get("provider") if fault else None
    asked = ProviderName(options.provider) if options.provider else None
    if needed and asked and asked is not needed:
        raise LabError(f"{fault.name if fault else ''} is about --provider {needed}", EX_USAGE)
    found: ProviderName | None = asked or needed
    if found and not RouterName(options.router).forwards:
        raise LabError("--provider needs bird or frr", EX_USAGE)
    if found is ProviderName.LINODE and options.router != RouterName.BIRD:
        raise LabError("--provider linode needs bird (RFC 8950 over global addresses)", EX_USAGE)
    others = bool(fault and fault.needs.keys() - {"provider"})
    asked_for = (options.routers, options.bfd, options.egress, options.graceful_restart)
    if found and (others or any(asked_for)):
        raise LabError("--provider brings its own routers, which speak BGP alone", EX_USAGE)
    return found


def _most_services(provider: ProviderName | None) -> int:
    most = SITES[provider].max_prefixes if provider else None
    return most or 10000


def _routers_of(
    options: argparse.Namespace,
    router: RouterName,
    fault: Fault | None,
    provider: ProviderName | None,
) -> dict[str, Any]:
    """Return what the plan says of routers beyond their make, or raise with a sentence."""
    racks = options.topology == "two-racks"
    if racks and (provider or options.routers == 1 or (fault and fault.needs)):
        raise LabError(
            "--topology two-racks has its own routers: no --provider, no --routers 1, and no"
            " fault that brings routers along",
            EX_USAGE,
        )
    if provider:
        own = {"routers": SITES[provider].count, "lever": options.lever}
        return {**own, "takeover": options.takeover}
    asked = {
        "routers": 2 if racks else options.routers,
        "racks": racks or None,
        "lever": options.lever,
        "bfd": None if options.bfd is None else bfd_of(options.bfd),
        "graceful_restart": options.graceful_restart,
        "takeover": options.takeover,
        "egress": options.egress,
    }
    needs = dict(fault.needs) if fault else {}
    found = needs | {name: value for name, value in asked.items() if value is not None}
    routers = found.get("routers", 1)
    between("--routers", routers, needs.get("routers", 1), 2)
    if found and found != {"routers": 1} and not router.forwards:
        raise LabError("--routers 2, --bfd and --graceful-restart need bird or frr", EX_USAGE)
    if routers > 1 and options.family not in {None, "v4"}:
        raise LabError("--routers 2 is for --family v4", EX_USAGE)
    if "graceful_restart" in found:
        between("--graceful-restart", found["graceful_restart"], 1, 4095)
    if found.get("egress") and "bfd" not in found:
        raise LabError("--egress follows BFD: add --bfd 50x3", EX_USAGE)
    return found


def bfd_of(text: str) -> BfdPlan:
    """Return the pace that *text* like 50x3 means, or raise with a sentence."""
    interval, _, multiplier = text.partition("x")
    if not (interval.isdecimal() and multiplier.isdecimal() and len(text) < 12):
        raise LabError(f"--bfd {text!r}: say milliseconds and misses, as 50x3", EX_USAGE)
    between("--bfd milliseconds", int(interval), 10, 60000)
    between("--bfd misses", int(multiplier), 2, 255)
    return BfdPlan(interval=int(interval), multiplier=int(multiplier))


def fault_named(name: str) -> Fault:
    """Return the fault, or raise with a sentence."""
    if name not in FAULTS:
        raise LabError(f"there is no fault {name!r}: scripts/lab faults lists them", EX_USAGE)
    return FAULTS[name]


def between(name: str, value: float, least: int, most: int) -> None:
    """Raise with a sentence where *value* is out of range."""
    if not least <= value <= most:
        raise LabError(f"{name} {value:g}: must be between {least} and {most}", EX_USAGE)
