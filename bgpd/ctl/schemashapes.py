"""Shapes of documents whose fields are no value's: types by name, as `bgpd.ctl.schema` reads them.

Each stands for one function that makes such a document; the tests hold what it makes against this.
"""

from typing import Final

from bgpd.ctl.diffrows import Verdict
from bgpd.ctl.doctor import Level
from bgpd.ctl.rehearsal import Change
from bgpd.ctl.validate import Mistake

EVENT: Final = {
    "time": str,
    "level": str,
    "process": str,
    "event": str,
    "keys": dict[str, str],
}
EVENTS: Final = {"items": [EVENT], "missing": dict[str, str]}

EXAMINATION: Final = {
    "node": str,
    "healthy": bool,
    "counts": dict[str, int],
    "items": [{"level": Level, "check": str, "subject": str, "sentence": str, "next": str}],
}
VALIDATION: Final = {
    "valid": list[str],
    "errors": list[str],
    "warnings": list[str],
    "skipped": list[str],
    "mistakes": list[Mistake],
}
DIFFERENCE: Final = {
    "node": str,
    "differs": bool,
    "routes": [
        {
            "peer": str,
            "prefix": str,
            "verdict": Verdict,
            "wanted": bool | None,
            "sent": str,
            "received": str,
            "sentences": list[str],
        }
    ],
    "notCompared": list[str],
}
REHEARSAL: Final = {
    "nodes": list[str],
    "refused": list[str],
    "warnings": list[str],
    "routes": [{"node": str, "peer": str, "prefix": str, "change": Change, "detail": str}],
    "notRehearsed": str,
}
PROBE: Final = {
    "address": str,
    "nodes": list[str],
    "works": bool,
    "routers": [
        {
            "peers": list[str],
            "routerIDs": list[str],
            "configured": list[str],
            "recommended": str,
            "works": bool,
            "levers": [
                {
                    "name": str,
                    "community": bool,
                    "moves": bool,
                    "refused": bool,
                    "milliseconds": list[float | None],
                }
            ],
        }
    ],
}

_GATE: Final = {"gate": str, "step": str, "sentence": str, "reason": str, "change": str}
_CHAIN: Final = {
    "node": str,
    "service": str,
    "prefix": str | None,
    "advertised": bool,
    "reason": str,
    "gates": [_GATE],
    "peers": [
        {
            "peer": str,
            "session": str,
            "hears": bool,
            "sent": str,
            "rank": int | None,
            "because": str,
            "gates": [_GATE],
        }
    ],
    "sharing": list[str],
    "unknown": str,
}
_PENDING: Final = {
    "service": str,
    "has": list[str],
    "wouldGet": list[str],
    "pool": str,
    "why": str,
    "tried": [{"pool": str, "why": str}],
}
_SPREAD: Final = {
    "service": str,
    "prefix": str,
    "routers": dict[str, list[str]],
    "nodes": [
        {
            "node": str,
            "carries": bool,
            "state": str,
            "rank": int | None,
            "generation": int | None,
            "peers": list[str],
            "endpoints": int | None,
            "doubts": list[str],
        }
    ],
}
_HISTORY: Final = {
    "prefix": str,
    "since": float,
    "reaches": bool,
    "carried": list[str],
    "unsure": list[str],
    "moments": [{"at": float, "node": str, "began": bool, "reason": str, "note": str}],
}
EXPLANATION: Final = {
    "node": str,
    "doubts": list[str],
    "items": [{"about": str, "what": str, "well": bool}],
    "chains": [_CHAIN],
    "pending": [_PENDING],
    "notes": list[str],
    "elasticIPs": [_SPREAD],
    "unread": list[str],
    "history": [_HISTORY],
}
"""All of them optional: what was asked decides which there are."""
_SAID: Final = [{"well": bool | None, "sentence": str}]
OUTLOOK: Final = {
    "node": str,
    "safeToReboot": bool,
    "sure": bool,
    "alone": [{"prefix": str, "services": list[str]}],
    "dies": _SAID,
    "reboots": _SAID,
}
