"""Makes a document fit its form, or says of every field why it does not, in the words of people.

The library that checks forms ends at the first fault. So what is at fault is taken away and the
rest tried again: who wrote the document learns in one go what to correct.
"""

import re
from typing import Any, Final

import msgspec

from bgpd.kube.faults import Faults
from bgpd.kube.fields import known
from bgpd.kube.kinds import AnyDocument

ANY_NAME: Final = "name"
"""Stands for a name that is missing or refused, so that the rest of a document can be checked."""
_MOST_PROBLEMS: Final = 20
"""Problems reported of one document: more do not help whoever has to correct it."""
_AT: Final = re.compile(r"(?P<what>.*?)(?: - at (?:`key` in )?`\$\.?(?P<path>.*)`)?", re.DOTALL)
_QUOTED: Final = re.compile(r"`(.*)`", re.DOTALL)
_STEP: Final = re.compile(r"[^.\[\]]+|\[[^]]*\]")


def fit(content: Any, form: type[AnyDocument], faults: Faults) -> AnyDocument | None:
    """Return *content* as its *form* has it, or None; what does not fit is in *faults*.

    Where there is a form and a fault, too, the form is of what was left.
    """
    rest: Any = content
    while rest is not None and len(faults.problems) < _MOST_PROBLEMS:
        try:
            return msgspec.convert(rest, form)
        except msgspec.ValidationError as error:
            rest = _report(str(error), rest, faults)
        except RecursionError:
            faults.rule("", "is nested too deeply")
            return None
    return None


def _report(error: str, content: Any, faults: Faults) -> Any:
    """Report msgspec's *error*; return *content* without the field, to find the next error."""
    found = _AT.fullmatch(error)
    what, path = (found["what"], found["path"] or "") if found else (error, "")
    quoted = _QUOTED.search(what)
    name = quoted[1] if quoted else ""
    if what.startswith("Object missing required field"):
        path = f"{path}.{name}".lstrip(".")
        faults.rule(path, "is required")
        return None
    if what.startswith("Object contains unknown field"):
        near = ", ".join(known(faults.kind, path))
        path = f"{path}.{name}"
        if faults.lenient:
            faults.unsupported(path, "is a field that bgpd does not know; it has no effect")
        else:
            faults.rule(path, f"is not a field; known here are {near}")
    else:
        faults.value(path, _at(content, path))
    if path == "metadata.name":
        return {**content, "metadata": {**content["metadata"], "name": ANY_NAME}}
    return _without(content, path)


def _at(content: Any, path: str) -> Any:
    """Return what stands at *path*, or as near to it as *path* can be followed."""
    for step in _STEP.findall(path):
        match content:
            case dict() if step in content:
                content = content[step]
            case list() if step[1:-1].isdecimal():
                content = content[int(step[1:-1])]
            case _:
                break
    return content


def _without(content: Any, path: str) -> Any:
    """Return a copy of *content* without the field at *path*, or None where that fails."""
    steps = _STEP.findall(path.split("[", maxsplit=1)[0])
    if not steps:
        return None
    copy = dict(content)
    place = copy
    for step in steps[:-1]:
        if not isinstance(place.get(step), dict):
            return None
        place[step] = dict(place[step])
        place = place[step]
    missing = object()
    return None if place.pop(steps[-1], missing) is missing else copy
