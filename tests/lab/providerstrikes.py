"""What befalls a node at a provider: routers that end, passwords that change, routes that are lost.

Two routers know every node; what happens to one of them, or to the metadata, may cost nothing
that passes the other.
"""

import json
import secrets
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tests.lab import extras, providerdocuments
from tests.lab.kernel import listening
from tests.lab.nodes import Node, until
from tests.lab.plan import FABRIC, LabError
from tests.lab.providerlab import Provider
from tests.lab.router import Router
from tests.lab.routerstrikes import begin_of_death, router_dead, router_undead
from tests.lab.strikes import Findings
from tests.lab.topology import inside, run
from tests.lab.watch import RouterWatch

if TYPE_CHECKING:
    from tests.lab.run import Lab

ROUTE_PROTOCOL: Final = "179"
"""The mark of what bgpd adds to a host."""
INTERFACE: Final = "bgpd0"
_ERROR_WAIT: Final = 3.0
"""Seconds after which a router that was left by a crash surely listens to its peer again."""
_SILENCE, _QUICK_SILENCE = 100.0, 15.0
_LOOK: Final = 0.02
_APART: Final = 0.5
"""Seconds between two parts of one set of documents: `kubectl apply -f` writes one by one."""


def provider_of(lab: "Lab") -> Provider:
    """Return the lab's provider, or raise where it has none."""
    if lab.provider is None:
        raise LabError("this fault is about a provider: --provider packet")
    return lab.provider


def empty(lab: "Lab", nodes: tuple[Node, ...]) -> None:
    """Prepare: nothing of bgpd runs on the node or is left of it, and the routers know."""
    for node in nodes:
        node.stop()
    names = tuple(node.name for node in nodes)
    until(lambda: lab.routes_avoid(names), 30, "the routers keep routes to a node that ended")
    for node in nodes:  # only now: the end of a session has to reach the routers
        node.forget()
        _wipe(node)
    time.sleep(_ERROR_WAIT)


def _wipe(node: Node) -> None:
    """Remove from the host what bgpd marked as its own."""
    for family in ("-4", "-6"):
        words = ("ip", family, "-j", "route", "show", "table", "all", "proto", ROUTE_PROTOCOL)
        if json.loads(run(*inside(node.name), *words) or "[]"):
            run(*inside(node.name), "ip", family, "route", "flush", "table", "all", *words[-2:])
    links = json.loads(run(*inside(node.name), "ip", "-j", "link") or "[]")
    if INTERFACE in {link["ifname"] for link in links}:
        run(*inside(node.name), "ip", "link", "delete", INTERFACE)


def start_empty(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Start the node's processes; find when its sessions are there, and its routes on all routers.

    The time begins before the first process. A session is there when the node's first UPDATE
    arrives on it. The routers are watched, not asked: whoever asks ten times a second is late.
    """
    (node,) = nodes
    watches = [RouterWatch(router.space) for router in lab.routers]
    try:
        lab.strike_time = time.monotonic()
        node.start(lab.source_of(node), lab.key_file)
        what = f"{node.name} sends its routes to no router, or not to all"
        until(lambda: all(_heard(watch, lab, node) for watch in watches), 90, what, _LOOK)
        until(lab.all_routes_present, 90, "the routers do not use the node's routes")
    finally:
        for watch in watches:
            watch.stop()
    sessions = [at for watch in watches for at in _heard(watch, lab, node)[:1]]
    hops = lab.addresses(node)
    routes = [each.at for watch in watches for each in watch.routes if each.gateways & hops]
    return {
        "sessions_seconds": round(max(sessions) - lab.strike_time, 2),
        "routes_seconds": round(max(routes) - lab.strike_time, 2) if routes else None,
    }


def _heard(watch: RouterWatch, lab: "Lab", node: Node) -> list[float]:
    """Return when UPDATEs of the node reached a router, whose capture its thread goes on with."""
    ours = lab.addresses(node)
    return [each.at for each in list(watch.updates) if each.source in ours]


def _speaks(router: Router, node: Node) -> Callable[[], bool]:
    return lambda: router.sessions().get(node.name, False)


def wrong_way(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Start the node with routes over the public gateway; nothing comes of it, until it is mended.

    What the fabric refused of the node's attempts is counted by its own rules.
    """
    (node,) = nodes
    lab.configure(providerdocuments.misled(lab.plan, node.name))
    before = _refused()
    lab.strike_time = time.monotonic()
    node.start(lab.source_of(node), lab.key_file)
    until(lambda: _refused() > before, 60, f"{node.name} does not try the wrong gateway", 0.1)
    time.sleep(2)
    kept_out = not any(router.sessions().get(node.name) for router in lab.routers)
    mended = time.monotonic()
    lab.configure([])
    for router in lab.routers:
        until(_speaks(router, node), 90, f"{node.name} has no session with {router.space}", _LOOK)
    return {"kept_out": kept_out, "mended_seconds": round(time.monotonic() - mended, 2)}


def _refused() -> int:
    """Return how many packets for a router the fabric has dropped."""
    listed = json.loads(run(*inside(FABRIC), "nft", "-j", "list", "table", "ip", "fabric"))
    expressions = [
        one for each in listed["nftables"] if "rule" in each for one in each["rule"]["expr"]
    ]
    return sum(one["counter"]["packets"] for one in expressions if "counter" in one)


def router_restarts(lab: "Lab", _nodes: tuple[Node, ...]) -> Findings:
    """Kill the routing daemon of one router, start it again, wait for sessions and routes."""
    router = begin_of_death(lab)
    router.kill()
    time.sleep(1)
    router.start()
    until(lambda: listening(179, router.space), 20, "the router does not listen", 0.01)
    return {"router": router.number, **_back(lab, router)}


def router_silent(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Have one router drop everything until both ends gave the sessions up, then hear again."""
    silence = lab.plan.outage or (_QUICK_SILENCE if lab.plan.hold < _QUICK_SILENCE else _SILENCE)
    found = router_dead(lab, nodes)
    time.sleep(silence)
    assert lab.dead_router is not None
    gone = not any(lab.dead_router.sessions().values())
    router_undead(lab, nodes)
    return {**found, "silent_seconds": silence, "given_up": gone, **_back(lab, lab.dead_router)}


def _back(lab: "Lab", router: Router) -> Findings:
    """Wait for the sessions and routes of a router that accepts connections from now on."""
    accepting = time.monotonic()
    until(lambda: all(router.sessions().values()), 90, "sessions did not come back", _LOOK)
    back = time.monotonic()
    everybody = {prefix: frozenset(lab.plan.names) for prefix in lab.plan.prefixes()}
    until(lambda: router.paths() == everybody, 60, "routes did not come back", _LOOK)
    return {
        "sessions_back_seconds": round(back - accepting, 2),
        "routes_after_seconds": round(time.monotonic() - back, 2),
    }


def told_sessions(node: Node) -> dict[str, tuple[str, float]]:
    """Return what the node says of each session: state, and since when, by the router's address."""
    sessions = node.answer()["sessions"]
    return {one["address"]: (one["state"], one["since"]) for one in sessions}


def rotate_password(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Give the node another password with the second router: first in the metadata."""
    (node,) = nodes
    kept, _ = lab.plan.router_addresses()
    before = told_sessions(node)[kept]
    password = secrets.token_hex(8)
    provider_of(lab).passwords[node.name] = {2: password}
    lab.strike_time = time.monotonic()
    took = _back_with(lab, node, password)
    return {
        "rotated_back_seconds": round(took, 2),
        "other_session_untouched": told_sessions(node)[kept] == before,
    }


def restore_password(lab: "Lab", nodes: tuple[Node, ...]) -> None:
    """Have the provider's usual password again, everywhere, and the sessions by it."""
    provider = provider_of(lab)
    provider.passwords.clear()
    for node in nodes:
        _back_with(lab, node, provider.site.password)


def _back_with(lab: "Lab", node: Node, password: str) -> float:
    """Have the metadata and the second router say *password*; wait for sessions and routes.

    Return the seconds until the session was back: an agent reads the metadata every 10 s.
    """
    _, rotated = lab.plan.router_addresses()
    _, since = told_sessions(node)[rotated]
    provider_of(lab).write()
    lab.routers[1].take_password(node.name, password)

    def back() -> bool:
        state, now_since = told_sessions(node)[rotated]
        return state == "Established" and now_since != since

    took = until(back, 60, f"{node.name}: no session with {rotated} by the new password", _LOOK)
    until(lab.all_routes_present, 30, "routes did not come back", _LOOK)
    return took


def too_many(priority: int) -> Callable[["Lab", tuple[Node, ...]], Findings]:
    """Return a strike by which there are five elastic IPs more than the routers take.

    Theirs is this *priority*; that of the plan's own ones is `extras.USUAL_PRIORITY`. The
    documents come in the worse order: advertisements that choose by a label first, then, after
    much longer than it takes to write them, the Services that have it.
    """

    def strike(lab: "Lab", _nodes: tuple[Node, ...]) -> Findings:
        before = {name: told_sessions(node) for name, node in lab.nodes.items()}
        lab.strike_time = time.monotonic()
        documents = extras.too_many(lab.plan, priority)
        lab.configure([each for each in documents if each["kind"] != "Service"])
        time.sleep(_APART)
        lab.configure(documents)
        wanted = extras.chosen(lab.plan, priority)
        until(lambda: _explained(lab), 30, "nobody says which elastic IPs have to wait", 0.1)
        until(lambda: _held(lab, wanted), 30, "the routers do not hold the chosen prefixes", 0.1)
        time.sleep(2)  # for a limit that is hit, and a session that ends by it
        after = {name: told_sessions(node) for name, node in lab.nodes.items()}
        limit = provider_of(lab).site.max_prefixes
        return {
            "explained": max(len(_waiting(node)) for node in lab.nodes.values()),
            "announced": max(_announced(node) for node in lab.nodes.values()),
            "limit_kept": all(_announced(node) == limit for node in lab.nodes.values()),
            "sessions_undisturbed": after == before,
            "chosen_by_priority": _held(lab, wanted),
        }

    return strike


def _waiting(node: Node) -> set[str]:
    """Return the prefixes that a node does not announce to some router for its limit."""
    status = node.told()
    withheld = [*status.get("withheld", ()), *(status.get("speaker") or {}).get("withheld", ())]
    return {one["prefix"] for one in withheld if one["reason"] == "PrefixLimit"}


def _explained(lab: "Lab") -> bool:
    return all(len(_waiting(node)) == extras.TOO_MANY for node in lab.nodes.values())


def _held(lab: "Lab", wanted: frozenset[str]) -> bool:
    everybody = frozenset(lab.plan.names)
    return all(
        {prefix for prefix, nodes in router.paths().items() if nodes == everybody} == wanted
        for router in lab.routers
    )


def _announced(node: Node) -> int:
    return max((one["advertised"] for one in node.answer()["sessions"]), default=0)


def lose_metadata(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """End the metadata server, then kill the node's agent: it comes back from what it remembers."""
    (node,) = nodes
    before = told_sessions(node)
    lab.strike_time = time.monotonic()
    provider_of(lab).stop()
    old = node.signal("agent", signal.SIGKILL)
    until(lambda: node.pids().get("agent", old) != old, 30, "the agent was not started again")
    synced = until(
        lambda: bool((node.told().get("speaker") or {}).get("sessions")),
        60,
        f"{node.name}: the agent does not come back without metadata",
        _LOOK,
    )
    time.sleep(3)  # for a plan without peers, were there one
    return {
        "agent_back_seconds": round(synced, 2),
        "sessions_undisturbed": told_sessions(node) == before,
    }


def return_metadata(lab: "Lab", _nodes: tuple[Node, ...]) -> None:
    """Let the metadata server answer again."""
    provider_of(lab).start()


def delete_route(lab: "Lab", nodes: tuple[Node, ...]) -> Findings:
    """Delete the node's route to the first router by hand; find when it is back."""
    (node,) = nodes
    before, wanted = told_sessions(node), lab.plan.router_addresses()[0]
    watch = RouterWatch(node.name)
    try:
        lab.strike_time = time.monotonic()
        run(*inside(node.name), "ip", "route", "delete", f"{wanted}/32")
        until(lambda: _returned(watch, wanted) is not None, 10, f"{wanted}: no route again", _LOOK)
    finally:
        watch.stop()
    back = _returned(watch, wanted)
    time.sleep(0.5)
    what = f"{node.name}: nobody counts the route that was restored"
    until(lambda: bool((node.told().get("host") or {}).get("restored")), 20, what)
    return {
        "route_back_ms": None if back is None else round(back * 1000, 1),
        "sessions_undisturbed": told_sessions(node) == before,
    }


def _returned(watch: RouterWatch, address: str) -> float | None:
    """Return how many seconds passed from the end of a host route to its return."""
    changes = [each for each in list(watch.routes) if each.prefix == f"{address}/32"]
    gone = next((each.at for each in changes if each.deleted), None)
    back = [each.at for each in changes if not each.deleted and gone and each.at >= gone]
    return back[0] - gone if back and gone else None
