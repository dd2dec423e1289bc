"""One lab inside its world: built, started, asked how it is, renewed, ended."""

import secrets
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bgpd.model.peer import Lever
from bgpd.policy.lever import STEPS
from tests.lab import shares
from tests.lab.control import ControlPlane
from tests.lab.documents import Directory, Document
from tests.lab.nodes import Node, NodeSource, until
from tests.lab.plan import LabError, Plan, router_space
from tests.lab.providerlab import Provider
from tests.lab.racks import beyond_racks, not_comparable
from tests.lab.router import Router
from tests.lab.routers import ROUTERS, Upstream
from tests.lab.scraping import Scraping
from tests.lab.topology import build
from tests.lab.watch import RouterWatch

_RECOVERY = 60.0
_LOOK_EVERY = 5.0
"""Seconds after which a lab that has not recovered is asked whether somebody is quarantined."""


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


class Lab:
    """One built lab: nodes, router, documents."""

    def __init__(self, plan: Plan, directory: Path) -> None:
        """Prepare the directories; nothing is started yet."""
        self.plan = plan
        self.directory = directory
        self.control = ControlPlane(plan, directory / "cluster") if plan.api else None
        self.source = self.control or Directory(plan, directory / "documents")
        self.record: Mapping[str, Any] | None = None
        self.strike_time = 0.0
        self.key_file = directory / "mesh.key"
        self.accused: Counter[str] = Counter()
        self.before_harm: int | None = None
        self.not_comparable: tuple[str, ...] = ()
        """The nodes that say beforehand that a raise moves nothing between racks."""
        self.stored: dict[str, bytes] = {}
        """A change of Service 1's endpoints, to be stored where no API server can be asked."""
        self.watch: RouterWatch | None = None
        self.joined: Mapping[str, Any] = {}
        """The last takeover as the survivors saw it, on one clock."""
        self.flows: list[dict[str, Any]] = []
        """The client's UDP flows."""
        self.router_deaths: list[float] = []
        self.dead_router: Router | None = None
        self.ways: object = None
        """Which flows pass the router that dies, as its strike found it."""
        self._special: list[Document] = []
        self.nodes = {name: Node(name, plan, directory / name) for name in plan.names}
        self.routers = tuple(self._router(number) for number in plan.router_numbers)
        self.router = self.routers[0]
        self.provider = Provider(plan, directory / "provider") if plan.site else None
        self.scraping = Scraping(plan, directory)
        self.scrapes: Path | None = None
        """Where every scrape of every strike is written; None: nowhere."""
        self.upstream: Upstream | None = None
        if plan.routers > 1:
            self.upstream = Upstream(plan, _made(directory / "upstream"))

    def _router(self, number: int) -> Router:
        directory = _made(self.directory / router_space(number))
        return ROUTERS[self.plan.router](self.plan, directory, number)

    def configure(self, special: list[Document]) -> None:
        """Have *special* documents besides those of the plan until told otherwise."""
        if special != self._special:
            self.source.configure(special)
            self._special = special

    def start(self) -> None:
        """Build everything and start every node."""
        self.lay()
        self.start_nodes()

    def lay(self) -> None:
        """Build the topology, write the documents, start the router."""
        build(self.plan)
        self.key_file.write_text(secrets.token_hex(32) + "\n")
        self.key_file.chmod(0o600)
        self.source.write_all()
        for router in self._all_routers():
            router.start()
        if self.provider:
            self.provider.start()

    def _all_routers(self) -> tuple[Router, ...]:
        return self.routers if self.upstream is None else (*self.routers, self.upstream)

    def start_nodes(self) -> None:
        """Start every node."""
        for node in self.nodes.values():
            node.start(self.source_of(node), self.key_file)

    def source_of(self, node: Node) -> NodeSource:
        """Return how the agent of *node* gets its documents, and what its provider tells it."""
        source = self.source.of_node(node.name)
        return self.provider.of_node(source) if self.provider else source

    def recover(self) -> tuple[float | None, tuple[str, ...]]:
        """Wait until all is well and return how long it took, and who was quarantined."""
        start = time.monotonic()
        while True:
            try:
                self.steady(_LOOK_EVERY)
            except LabError:
                if names := self.quarantined():  # for ten minutes: no use waiting
                    self.renew()
                    self.steady()
                    return None, names
                if time.monotonic() - start > _RECOVERY:
                    raise
            else:
                return round(time.monotonic() - start, 2), ()

    def quarantined(self) -> tuple[str, ...]:
        """Return the members that some speaker keeps in quarantine."""
        meshes = [s["mesh"] for node in self.nodes.values() if (s := node.status())]
        members = [member for mesh in meshes if mesh for member in mesh["members"]]
        return tuple(sorted({m["name"] for m in members if m["state"] == "Quarantined"}))

    def renew(self) -> None:
        """Start every node afresh, its memory of earlier deaths included."""
        for node in self.nodes.values():
            node.stop()
            node.forget()
        self.start_nodes()
        self.accused.clear()

    def stop(self) -> None:
        """End what was started; the world's end would do the same, less politely."""
        self.scraping.stop()
        for node in self.nodes.values():
            node.stop()
        for router in self._all_routers():
            router.stop()
        if self.provider:
            self.provider.stop()
        self.source.stop()

    def steady(self, seconds: float = 90) -> float:
        """Wait until every route of every node is in use and the mesh is whole."""
        what = f"the router does not use the routes of all nodes (logs: {self.directory})"
        took = until(self.all_routes_present, seconds, what)
        what = f"BFD is not up everywhere (logs: {self.directory})"
        took += until(self.bfd_whole, seconds, what)
        what = f"the mesh is not whole (logs: {self.directory})"
        took += until(self.mesh_whole, seconds, what)
        what = f"the lever has no step left (logs: {self.directory})"
        return took + until(self.has_headroom, seconds, what)

    def has_headroom(self) -> bool:
        """Tell whether one more raise makes paths better: a lever of three steps begins anew."""
        stepped = self.plan.lever in {Lever.AS_PATH, Lever.ORIGIN}
        return not stepped or (self.total_generation() or 0) % STEPS != STEPS - 1

    def all_routes_present(self) -> bool:
        """Tell whether every router uses a path to every node for every elastic IP."""
        wanted = [(one, frozenset(self.plan.names_at(one.number))) for one in self.routers]
        if self.upstream is not None:
            wanted.append((self.upstream, frozenset(router.space for router in self.routers)))
        return all(
            paths.get(prefix) == hops
            for router, hops in wanted
            for paths in (router.paths(),)
            for prefix in self.plan.prefixes()
        )

    def bfd_whole(self) -> bool:
        """Tell whether BFD is up wherever it is wanted."""
        if self.upstream is not None and not self.upstream.hears_bfd():
            return False
        return self.plan.bfd is None or all(
            (one.get("bfd") or {}).get("state") == "Up"
            for node in self.nodes.values()
            for one in (node.status() or {"sessions": [{}]})["sessions"]
        )

    def sessions(self) -> dict[str, bool]:
        """Return node name -> whether its sessions are established, as its router tells it."""
        routers = self.routers if self.plan.racks else (self.router,)
        return {name: up for router in routers for name, up in router.sessions().items()}

    def routes_avoid(self, names: tuple[str, ...]) -> bool:
        """Tell whether every elastic IP has a path, and none leads to one of *names*."""
        away = frozenset(names)
        tables = [router.paths() for router in self.routers]
        if self.plan.racks and self.upstream is not None:
            tables = [beyond_racks(self.upstream.paths(), tables)]
        used = [paths.get(prefix) for paths in tables for prefix in self.plan.prefixes()]
        return all(nodes and not nodes & away for nodes in used)

    def mesh_whole(self) -> bool:
        """Tell whether all speakers hear each other and agree on the generation."""
        seen = [node.status() for node in self.nodes.values()]
        meshes = [status.get("mesh") for status in seen if status]
        if len(meshes) < len(self.nodes) or not all(meshes):
            return False
        generations = {mesh["generation"] for mesh in meshes if mesh}
        return len(generations) == 1 and all(
            mesh["reachable"] == self.plan.nodes and (mesh["armed"] or self.plan.nodes == 1)
            for mesh in meshes
            if mesh
        )

    def total_generation(self, without: tuple[str, ...] = ()) -> int | None:
        """Return the highest generation among the speakers that answer."""
        known = [
            status["mesh"]["generation"]
            for name, node in self.nodes.items()
            if name not in without and (status := node.status()) and status.get("mesh")
        ]
        return max(known, default=None)

    def look_before(self, without: tuple[str, ...]) -> None:
        """Remember what can be seen no more once harm is done; *without* are not asked."""
        self.before_harm = self.total_generation(without=without)
        if self.plan.racks:
            self.not_comparable = not_comparable(self.nodes.values())

    def rewrite_endpoints(
        self, node: Node, names: tuple[str, ...], *, present: bool
    ) -> dict[str, float | None]:
        """Change Service 1's endpoints; return ms from written to changed on the router."""
        assert self.watch is not None
        since = len(self.watch.routes)
        written = self.source.write_endpoints(1, names)
        self.strike_time = written
        wanted = {self.plan.prefix(1, version) for version in self.plan.family.versions}
        changed = None
        if self._await_endpoint(node, wanted, since, present=present):
            changes = [c for c in self.watch.routes[since:] if c.prefix in wanted]
            changed = changes[-1].at if changes else None
        parts = shares.of_endpoint(
            list(self.watch.updates),
            sources=self.addresses(node),
            prefixes=wanted,
            present=present,
            written=written,
            changed=changed,
        )
        whole = None if changed is None else round((changed - written) * 1000, 2)
        return {"route_ms": whole, **parts}

    def _await_endpoint(self, node: Node, wanted: set[str], since: int, *, present: bool) -> bool:
        """Wait for the router's word on *wanted*; ask it only after something changed."""
        assert self.watch is not None
        end = time.monotonic() + 10
        while time.monotonic() < end:
            time.sleep(0.05)
            if self.plan.router.forwards and len(self.watch.routes) == since:
                continue
            paths = self.router.paths()
            if all((node.name in paths.get(prefix, ())) is present for prefix in wanted):
                time.sleep(0.05)
                return True
        return False

    def addresses(self, *nodes: Node) -> frozenset[str]:
        """Return the addresses of *nodes*: next hops of their routes, sources of their UPDATEs."""
        return frozenset(
            self.plan.gateways(version)[node.name]
            for version in self.plan.family.versions
            for node in nodes
        )

    def last_route_gone(self, node: Node, since: float) -> float | None:
        """Return when the router's kernel last took a route away from *node*."""
        assert self.watch is not None
        return shares.moved_away(
            self.watch.routes,
            gateways=self.addresses(node),
            prefixes=self.plan.prefixes(),
            since=since,
        )
