"""Everything on a node that helps whoever was not there: asked for at once, missed by name.

Each part is had by itself, in a thread that nobody waits for longer than the deadline: an agent
that hangs, an API server that is away or a disk that is broken costs its own part.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from bgpd.ctl import (
    bundlefiles,
    bundlehost,
    bundlekeys,
    bundlereach,
    doctor,
    doctorchecks,
    doctorlook,
    document,
    observe,
    table,
)
from bgpd.ctl.bundlepart import Gathered, Where
from bgpd.ctl.bundleprocess import processes
from bgpd.ctl.bundlesecrets import Secrets
from bgpd.ctl.doctorthreads import Looks
from bgpd.ctl.eventlist import document as events_document
from bgpd.ctl.eventscommand import gather as gather_events
from bgpd.model.errors import BgpdError

_MARGIN: Final = 2.0


def gather(where: Where) -> tuple[Gathered, Secrets]:
    """Return all that can be had now, and every secret that must not leave the node."""
    running = processes(where.run_dir)
    looks: dict[str, Callable[[], Gathered]] = {
        "status": partial(_status, where),
        "events": partial(_events, where),
        "timeline": partial(_timeline, where),
        "inventory": partial(_inventory, where),
        "doctor": partial(_doctor, where),
        "versions": partial(bundlehost.versions, running),
        "state": partial(bundlefiles.state, where.state_dir),
        "documents": partial(bundlefiles.documents, where.state_dir, running),
        "cluster": partial(bundlereach.cluster, where, running),
        "metrics": partial(bundlereach.metrics, running, where.timeout),
        "host": partial(bundlehost.host, where.timeout),
        "logs": partial(bundlefiles.logs, where),
    }
    threads = Looks(3 * where.timeout + _MARGIN)
    for name, look in looks.items():
        threads.start(name, _or_missing, name, look)
    found = Gathered()
    for name in looks:
        late = Gathered(missing={name: "it takes too long"})
        found.take(threads.result(name, late))
    threads.end()
    secrets = bundlekeys.secrets(
        found.documents.values(), found.texts, running, mesh_key_file=where.mesh_key_file,
        kubeconfig=where.kubeconfig,
    )  # fmt: skip
    return found, secrets


def _or_missing(name: str, look: Callable[[], Gathered]) -> Gathered:
    try:
        return look()
    except BgpdError as error:
        return Gathered(missing={name: str(error)})
    except Exception as error:  # noqa: BLE001 - one part less is no reason to have none
        return Gathered(missing={name: f"{type(error).__name__}: {error}"})


# What the processes say


def _status(where: Where) -> Gathered:
    view = observe.observe(
        agent=where.run_dir / observe.AGENT_SOCKET,
        speaker=where.run_dir / observe.SPEAKER_SOCKET,
        timeout=where.timeout,
    )
    found = Gathered()
    if view.agent is None:
        found.missing["status of the agent"] = view.agent_error
    if view.speaker is None or view.secondhand:
        found.missing["status of the speaker"] = view.speaker_error
    found.documents["status.json"] = document.status_document(view)
    found.texts["status.txt"] = table.status_table(view, now=time.time(), wide=True)
    return found


def _events(where: Where) -> Gathered:
    events, missing = gather_events(where.run_dir, timeout=where.timeout)
    named = {f"events of the {name}": why for name, why in missing.items()}
    return Gathered(documents={"events.json": events_document(events, missing)}, missing=named)


def _timeline(where: Where) -> Gathered:
    failovers = observe.failovers(
        agent=where.run_dir / observe.AGENT_SOCKET,
        speaker=where.run_dir / observe.SPEAKER_SOCKET,
        timeout=where.timeout,
    )
    return Gathered(documents={"timeline.json": document.timeline_document(failovers)})


def _inventory(where: Where) -> Gathered:
    found = observe.inventory(where.run_dir / observe.AGENT_SOCKET, timeout=where.timeout)
    return Gathered(documents={"inventory.json": document.plain(found)})


def _doctor(where: Where) -> Gathered:
    facts = doctorlook.look(
        doctorlook.Where(
            agent=where.run_dir / observe.AGENT_SOCKET,
            speaker=where.run_dir / observe.SPEAKER_SOCKET,
            state=where.state_dir,
            timeout=where.timeout,
        )
    )
    findings = doctor.examine(facts, doctorchecks.CHECKS, frozenset())
    return Gathered(documents={"doctor.json": doctor.document(findings, facts.view.node)})
