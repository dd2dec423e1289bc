"""The node around its sessions: processes, documents, what Kubernetes runs, clock, disk, files."""

from collections.abc import Iterator, Mapping
from typing import Final

from bgpd.ctl.columns import counted, duration
from bgpd.ctl.doctor import Finding, Findings, Level
from bgpd.ctl.doctorfacts import Answer, Facts, ProcessFacts
from bgpd.model.health import Health
from bgpd.model.status import Condition

KUBE_PROXY: Final = "kube-proxy"
_SILENT: Final = 300.0
"""Seconds: a healthy watch says something each minute, and is renewed at the latest by then."""
_FREE_BYTES: Final = 16 << 20
"""Below this the next write may fail: the state of a large cluster is some megabytes."""
_FREE_FILES: Final = 16
_FEW_FILES: Final = 1024
_MOST_USED: Final = 0.8

BELONGS: Final[Mapping[str, tuple[str, Level, str]]] = {
    "ConfigurationRefused": ("documents", Level.FAIL, "bgpctl status"),
    "ConfigurationVanished": ("documents", Level.FAIL, "bgpctl accept"),
    "SecretMissing": ("documents", Level.FAIL, "bgpctl status"),
    "LastAcceptedInForce": ("documents", Level.WARN, "bgpctl status"),
    "LastGoodInForce": ("documents", Level.WARN, "bgpctl status"),
    "LastKnownState": ("documents", Level.WARN, "bgpctl status"),
    "ReferenceMissing": ("documents", Level.WARN, "bgpctl status"),
    "ConflictingAdvertisements": ("documents", Level.WARN, "bgpctl explain"),
    "SpeakerPolicyAmbiguous": ("documents", Level.WARN, "bgpctl status"),
    "PeersRefused": ("documents", Level.FAIL, "bgpctl status"),
    "SourceDegraded": ("api", Level.FAIL, "bgpctl status"),
    "StatusNotWritten": ("api", Level.WARN, "bgpctl status"),
    "EventsNotWritten": ("api", Level.WARN, "bgpctl status"),
    "ProviderUnreachable": ("metadata", Level.FAIL, "bgpctl status"),
    "ProviderDocumentRefused": ("metadata", Level.FAIL, "bgpctl status"),
    "ProviderEmpty": ("metadata", Level.FAIL, "bgpctl status"),
    "ProviderStale": ("metadata", Level.WARN, "bgpctl status"),
    "ProviderPeerVanishing": ("metadata", Level.WARN, "bgpctl status"),
    "PeersNotConfigured": ("speaker", Level.FAIL, "bgpctl status"),
    "RoutesRefused": ("speaker", Level.FAIL, "bgpctl status"),
    "HostRouteFailed": ("route", Level.FAIL, "bgpctl get host"),
    "HostRouteLeftAlone": ("route", Level.WARN, "bgpctl get host"),
    "FamilyLeftOut": ("families", Level.WARN, "bgpctl status"),
    "BFDNotListening": ("bfd", Level.FAIL, "ss -lnup"),
    "ProfileUnfit": ("bfd", Level.WARN, "bgpctl status"),
    "DampingBudgetSpent": ("damping", Level.WARN, "bgpctl status -o wide"),
    "MemberWithoutAddress": ("mesh", Level.WARN, "bgpctl status"),
    "MeshPath": ("mesh", Level.WARN, "bgpctl status"),
    "TakeoverSettingsDiffer": ("takeover", Level.FAIL, "bgpctl status"),
    "TakeoverNotComparable": ("takeover", Level.WARN, "bgpctl status"),
    "TakeoverOverruled": ("takeover", Level.WARN, "bgpctl status"),
    "TakeoverHeld": ("takeover", Level.WARN, "bgpctl migrate status"),
    "GenerationJump": ("generation", Level.FAIL, "bgpctl generation reset --help"),
    "StateNotWritten": ("state", Level.FAIL, "df -h /var/lib/bgpd"),
}
"""The check that tells of each condition; those that are not here are told by `conditions`."""
ELSEWHERE: Final = frozenset({"NotHeard", "HostSettings"})
"""Conditions that a check tells better by itself."""


def told(facts: Facts, check: str) -> Findings:
    """Yield the conditions that belong to *check*."""
    for one in facts.view.conditions:
        belongs, level, command = BELONGS.get(one.type, ("conditions", Level.WARN, "bgpctl status"))
        if one.status and belongs == check and one.type not in ELSEWHERE:
            yield _of(check, level, "", f"{one.type}: {one.message or one.reason}", command)


def agent(facts: Facts) -> Findings:
    """Judge whether the agent answers."""
    view = facts.view
    if view.agent is not None:
        yield _of("agent", Level.OK, "", f"version {view.agent.version} answers")
        return
    if facts.agent_forbidden:
        yield _forbidden("agent", facts)
        return
    since = "its last word stays in force: routes stay as they are"
    yield _of(
        "agent",
        Level.FAIL,
        "",
        f"does not answer ({view.agent_error}); {since}",
        _whether_alive(facts, "bgpd.agent"),
    )


def speaker(facts: Facts) -> Findings:
    """Judge whether the speaker answers and has its ExaBGP."""
    view = facts.view
    command = _whether_alive(facts, "bgpd.exabgp")
    if view.speaker is None or view.secondhand:
        if facts.speaker_forbidden:
            yield _forbidden("speaker", facts)
            return
        sentence = f"does not answer ({view.speaker_error})"
        if view.secondhand:
            sentence += "; what follows is what the agent heard of it last"
        yield _of("speaker", Level.FAIL, "", sentence, command)
        return
    status = view.speaker
    if status.exabgp_pid is None:
        yield _of("speaker", Level.FAIL, "", "it has no ExaBGP, so no session can be", command)
    elif not status.agent_connected and view.agent is not None:
        sentence = "answers, but the agent is not connected to it: what changes is not heard"
        yield _of("speaker", Level.FAIL, "", sentence, "bgpctl status")
    else:
        yield _of("speaker", Level.OK, "", f"version {status.version} answers, with its ExaBGP")
    yield from told(facts, "speaker")


def documents(facts: Facts) -> Findings:
    """Judge whether what was configured is in force."""
    status = facts.view.agent
    if status is None:
        sentence = "only the agent knows, and it does not answer; check files by hand"
        yield _of("documents", Level.SKIP, "", sentence, "bgpctl validate PATH")
        return
    if not status.synced:
        sentence = f"the agent has not read {status.source} completely since its start"
        yield _of("documents", Level.FAIL, "", sentence, "bgpctl status")
    trouble = tuple(told(facts, "documents"))
    yield from trouble
    if status.synced and not trouble:
        sentence = f"{counted(status.documents, 'document')} of {status.source} are in force"
        yield _of("documents", Level.OK, "", sentence)


def api(facts: Facts) -> Findings:
    """Judge whether the source of the documents still speaks."""
    status = facts.view.agent
    if status is None:
        yield _of("api", Level.SKIP, "", "only the agent knows, and it does not answer")
        return
    trouble = tuple(told(facts, "api"))
    yield from trouble
    silence = status.silence_seconds
    heard = "" if silence is None else f", heard {duration(silence)} ago"
    if silence is not None and silence > _SILENT:
        sentence = (
            f"{status.source} has said nothing for {duration(silence)}: what was in force stays,"
            " and what changes is not heard"
        )
        yield _of("api", Level.WARN, "", sentence, "bgpctl status")
    elif not trouble:
        yield _of("api", Level.OK, "", f"{status.source} is followed without trouble{heard}")


def metadata(facts: Facts) -> Findings:
    """Judge whether each provider answers, and says something that is understood."""
    if facts.metadata_problem:
        yield from _by_the_agent(facts)
    elif not facts.metadata:
        yield _of("metadata", Level.OK, "", "no BGPPeer has a provider: there is none to ask")
    for one in facts.metadata:
        if one.peers is None:
            sentence = f"provider {one.provider}: {one.problem}; what was known before stays"
            command = f"curl -sS -m 5 {one.where}" if "://" in one.where else "bgpctl status"
            yield _of("metadata", Level.FAIL, one.document, sentence, command)
        elif not one.peers:
            sentence = (
                f"provider {one.provider} ({one.where}) offers this node no session: {one.empty}"
            )
            yield _of("metadata", Level.FAIL, one.document, sentence, "bgpctl status")
        else:
            said = f"{one.where} offers {counted(one.peers, 'session')}"
            yield _of("metadata", Level.OK, one.document, f"provider {one.provider}: {said}")
    for line in told(facts, "metadata"):
        if line.level is Level.WARN or facts.metadata_problem:
            # What failed for the agent was asked once more above.
            yield line


def kube_proxy(facts: Facts) -> Findings:
    """Judge whether kube-proxy can send packets on to pods."""
    status = facts.view.agent
    believed = status.health.node.get(KUBE_PROXY) if status is not None else None
    detail = status.health.details.get(KUBE_PROXY, "") if status is not None else ""
    command = f"curl -sS -m 2 {facts.kube_proxy_url}" if facts.kube_proxy_url else "bgpctl status"
    attempt = facts.kube_proxy
    if attempt.answer is Answer.YES:
        yield _of(KUBE_PROXY, Level.OK, "", f"{facts.kube_proxy_url} says that it is well")
    elif not facts.kube_proxy_url:
        yield _of(KUBE_PROXY, Level.SKIP, "", "the SpeakerPolicy has no URL of it")
    elif believed is Health.UNHEALTHY or attempt.answer is Answer.FAILED:
        why = detail or attempt.detail
        sentence = f"{why}: what clients send may not reach their pods"
        yield _of(KUBE_PROXY, Level.FAIL, "", sentence, command)
    elif attempt.answer is Answer.SILENT:
        sentence = f"{facts.kube_proxy_url} does not answer: {attempt.detail or 'no word'}"
        yield _of(KUBE_PROXY, Level.WARN, "", sentence, command)
    else:
        sentence = (
            f"nobody listens at {facts.kube_proxy_url}; as it should be on a host without it, or"
            " where another program does its work"
        )
        yield _of(KUBE_PROXY, Level.SKIP, "", sentence)


def clock(facts: Facts) -> Findings:
    """Judge whether the clock is kept right."""
    if facts.host.synchronized is None:
        yield _of(
            "clock", Level.SKIP, "", "the kernel does not say whether the clock is kept right"
        )
    elif facts.host.synchronized:
        yield _of("clock", Level.OK, "", "the kernel says that its clock is synchronized")
    else:
        sentence = (
            "nobody keeps it right, says the kernel: no decision depends on it, but timelines of"
            " nodes cannot be compared, and certificates may seem expired"
        )
        yield _of("clock", Level.WARN, "", sentence, "timedatectl || chronyc tracking")


def state(facts: Facts) -> Findings:
    """Judge whether what must outlive a process can be written."""
    kept = facts.state
    trouble = tuple(told(facts, "state"))
    yield from trouble
    if kept.problem:
        yield _of("state", Level.SKIP, "", f"{kept.path}: {kept.problem}")
        return
    if kept.read_only:
        sentence = f"{kept.path} is on a read-only filesystem: what is learned dies with a process"
        yield _of("state", Level.FAIL, "", sentence, f"findmnt -T {kept.path}")
        return
    free, files = kept.free_bytes, kept.free_files
    if (free is not None and free < _FREE_BYTES) or (files is not None and files < _FREE_FILES):
        what = f"{(free or 0) >> 20} MiB" if free is not None and free < _FREE_BYTES else "no files"
        sentence = f"{kept.path} has room for {what}: the next write may fail"
        yield _of("state", Level.FAIL, "", sentence, f"df -h {kept.path}; df -i {kept.path}")
    elif not trouble:
        room = f", {(free or 0) >> 20} MiB free" if free is not None else ""
        yield _of("state", Level.OK, "", f"{kept.path} can be written{room}")


def files(facts: Facts) -> Findings:
    """Judge whether our processes may open as many files as they need."""
    if not facts.processes:
        yield _of("files", Level.SKIP, "", "none of our processes can be looked at from here")
    for one in facts.processes:
        yield _files(one)


def conditions(facts: Facts) -> Findings:
    """Tell of every condition that no other check tells of."""
    trouble = tuple(told(facts, "conditions"))
    yield from trouble
    if trouble:
        return
    if facts.view.agent is None and facts.view.speaker is None:
        yield _of("conditions", Level.SKIP, "", "neither agent nor speaker says what they see")
    else:
        yield _of("conditions", Level.OK, "", "agent and speaker report nothing else")


def belonging(type_: str) -> str:
    """Return the check that tells of conditions of *type_*."""
    return BELONGS[type_][0] if type_ in BELONGS else "conditions"


def true_conditions(facts: Facts) -> Iterator[Condition]:
    """Yield what the node says that a person should know."""
    return (one for one in facts.view.conditions if one.status)


def _by_the_agent(facts: Facts) -> Findings:
    """Say what agent and speaker say of providers, where the documents cannot be read from here."""
    if facts.view.agent is None:
        sentence = f"which BGPPeers have a provider is not known: {facts.metadata_problem}"
        yield _of("metadata", Level.SKIP, "", sentence)
        return
    if any(one.status and belonging(one.type) == "metadata" for one in facts.view.conditions):
        return
    sessions = facts.view.speaker.sessions if facts.view.speaker is not None else ()
    named = sorted({one.document for one in sessions if one.document})
    words = f"of {', '.join(named)} was understood" if named else "is named by any session"
    sentence = f"the agent has no trouble: a provider {words}" if named else f"no provider {words}"
    yield _of("metadata", Level.OK, "", sentence)


def _files(one: ProcessFacts) -> Finding:
    if one.limit is None:
        sentence = f"the limits of process {one.pid} cannot be read"
        return _of("files", Level.SKIP, one.what, sentence, "sudo bgpctl doctor --only files")
    used = f"{one.open_files} of {one.limit}" if one.open_files is not None else f"{one.limit}"
    command = f"grep 'open files' /proc/{one.pid}/limits"
    if one.open_files is not None and one.open_files > one.limit * _MOST_USED:
        sentence = f"{used} files are open: raise LimitNOFILE before connections fail"
        return _of("files", Level.FAIL, one.what, sentence, command)
    if one.limit < _FEW_FILES:
        sentence = f"it may open only {one.limit} files, {_FEW_FILES} are usual; raise LimitNOFILE"
        return _of("files", Level.WARN, one.what, sentence, command)
    return _of("files", Level.OK, one.what, f"{used} files")


def _whether_alive(facts: Facts, program: str) -> str:
    """Return what shows whether *program* runs: a container sees no process but its own."""
    if facts.pod_of:
        return f"kubectl get pods -A --field-selector spec.nodeName={facts.pod_of}"
    return f"pgrep -af {program}"


def _forbidden(what: str, facts: Facts) -> Finding:
    sentence = f"user {facts.user} may not ask it; use root or the socket's group"
    return _of(what, Level.SKIP, "", sentence, "sudo bgpctl doctor")


def _of(check: str, level: Level, subject: str, sentence: str, command: str = "") -> Finding:
    return Finding(
        check=check, level=level, subject=subject, sentence=sentence, next_command=command
    )
