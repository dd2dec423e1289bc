"""From the POST of a Service to its route: what a person waits for who makes a Service.

The way has three parts: until its status shows an address to whoever watches (the controller's and
the API server's), until the UPDATE is at the router (the speaker's), until the router's kernel has
the route (the router's). The first begins when the server has acknowledged the POST.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from tests.bench.giver import Tap
from tests.bench.measures import blocks
from tests.bench.rig import NODE, Rig
from tests.cluster.api import ApiError, Document
from tests.cluster.cluster import Cluster
from tests.lab import documents
from tests.lab.plan import LabError, Plan

Figures = dict[str, Any]
Say = Callable[[str], None]

_SERVICES: Final = "/api/v1/namespaces/default/services"
_SLICES: Final = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
_WARM_UP: Final = 3
"""Services at the start of a block that do not count."""
_SETTLE: Final = 3.0
_GAP: Final = 1.5
"""Seconds before each POST, on average. MetalLB's client allows itself five requests a second, so
with shorter ones its controller would be measured waiting for itself."""
_MOST: Final = 60.0


class Statuses:
    """When a watch first told of each Service's address."""

    def __init__(self, cluster: Cluster) -> None:
        """Begin to watch."""
        self._cluster = cluster
        self._seen: dict[str, tuple[float, str]] = {}
        self._some = threading.Condition()
        self._watching = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        if not self._watching.wait(_MOST):
            raise LabError("the Services cannot be watched")

    def stop(self) -> None:
        """End, within moments."""
        self._end.set()
        self._thread.join(_MOST)

    def await_address(self, name: str, seconds: float) -> tuple[float, str] | None:
        """Return when the Service *name* was seen with an address, and with which."""
        with self._some:
            self._some.wait_for(lambda: name in self._seen, seconds)
            return self._seen.get(name)

    def _run(self) -> None:
        while not self._end.is_set():
            listed = self._cluster.administrator().request("GET", _SERVICES, limit="1")
            version = listed["metadata"]["resourceVersion"]
            self._watching.set()
            with suppress(OSError, ApiError):
                events = self._cluster.administrator().watch(
                    _SERVICES, timeout=_MOST, timeoutSeconds="20", resourceVersion=version
                )
                for event in events:
                    self._see(event["object"], time.monotonic())
                    if self._end.is_set():
                        return

    def _see(self, document: Document, at: float) -> None:
        address = address_of(document)
        if address:
            with self._some:
                self._seen.setdefault(document["metadata"]["name"], (at, address))
                self._some.notify_all()


def service_to_route(rig: Rig, *, repeat: int, block: int, say: Say) -> Figures:
    """Return the way of *repeat* new Services for each speaker with its controller."""
    tap = Tap()
    runs: list[Figures] = []
    made = 0
    for number, speaker, count in blocks(rig, repeat, block):
        rig.begin(speaker)
        time.sleep(_SETTLE)
        statuses = Statuses(rig.cluster)
        for i in range(-_WARM_UP, count):
            made += 1
            found = _one(rig, tap, statuses, f"fresh-{made}")
            if i >= 0:
                runs.append({"speaker": speaker.name, "block": number, **found})
        statuses.stop()
        rig.end(speaker)
        mine = [r for r in runs if r["speaker"] == speaker.name and r["block"] == number]
        known = sorted(run["route_ms"] for run in mine if run["route_ms"] is not None)
        median = f", median {known[len(known) // 2]:.2f} ms" if known else ""
        say(f"block {number}: {speaker.name}, {count} Services{median}")
    tap.close()
    return {"runs": runs}


def _one(rig: Rig, tap: Tap, statuses: Statuses, name: str) -> Figures:
    """Make a Service whose endpoints are there already; wait for its route; take both away."""
    service, endpoints = fresh(rig.plan, name)
    rig.cluster.api.request("POST", _SLICES, endpoints)
    time.sleep(_GAP * random.uniform(0.5, 1.5))
    rig.cluster.api.request("GET", "/version")  # the connection may have to be opened
    tap.seen()
    since, updates = len(rig.watch.routes), len(rig.watch.updates)
    sent = time.monotonic()
    rig.cluster.api.request("POST", _SERVICES, service)
    answered = time.monotonic()
    given = statuses.await_address(name, _MOST)
    prefix = f"{given[1]}/32" if given else ""
    changed = (
        rig.await_routes(frozenset({prefix}), since, present=True, seconds=_MOST) if given else None
    )
    time.sleep(0.02)  # the capture is read by another thread
    told = [one.at for one in rig.watch.updates[updates:] if prefix in one.advertised]
    found = figures(
        sent=sent,
        answered=answered,
        passed=tap.seen(),
        shown=given[0] if given else None,
        told=told[0] if told else None,
        changed=changed,
    )
    since = len(rig.watch.routes)
    rig.cluster.api.request("DELETE", f"{_SERVICES}/{name}")
    rig.cluster.api.request("DELETE", f"{_SLICES}/{name}")
    if changed is not None:
        # What comes next gets this address: its route must not be taken for the old one.
        rig.await_routes(frozenset({prefix}), since, present=False, seconds=_MOST)
    return found


def figures(
    *,
    sent: float,
    answered: float,
    passed: tuple[Sequence[float], Sequence[float]],
    shown: float | None,
    told: float | None,
    changed: float | None,
) -> Figures:
    """Return the parts of one Service's way in ms, None where one did not end.

    *passed* is what reached the controller and what left it: of that, the first it was told, and
    the first that it said after it.
    """
    heard = min((at for at in passed[0] if at >= sent and (not shown or at <= shown)), default=None)
    left = [] if heard is None else [at for at in passed[1] if at >= heard]
    wrote = min((at for at in left if not shown or at <= shown), default=None)
    return {
        "post_ms": _ms(sent, answered),
        "route_ms": _ms(answered, changed),
        "address_ms": _ms(answered, shown),
        "heard_ms": _ms(sent, heard),
        "controller_ms": _ms(heard, wrote),
        "written_ms": _ms(wrote, shown),
        "speaker_ms": _ms(shown, told),
        "router_ms": _ms(told, changed),
    }


def fresh(plan: Plan, name: str) -> tuple[Document, Document]:
    """Return a Service *name* that waits for an address, and its EndpointSlice."""
    service = documents.service(plan, 1)
    (endpoints,) = documents.endpoints(plan, 1, (NODE,))
    del service["status"]
    labels = {"kubernetes.io/service-name": name}
    service["metadata"] = {**service["metadata"], "name": name}
    endpoints["metadata"] = {**endpoints["metadata"], "name": name, "labels": labels}
    return service, endpoints


def address_of(document: Document) -> str:
    """Return the first address in the status of a Service, or the empty text."""
    ingress = (document.get("status") or {}).get("loadBalancer", {}).get("ingress") or []
    return str(ingress[0].get("ip", "")) if ingress else ""


def _ms(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round((end - start) * 1000, 3)
