"""Write the file in which somebody finds every field that documents may have, to copy from it.

What stands above a field is its meaning and range in `bgpd.kube.reference`; its value comes from
`bgpd.kube.referencevalues`. What cannot stand beside the rest, or has no effect, is behind a `#`.
"""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

from bgpd.kube.fields import Field
from bgpd.kube.reference import MEANINGS, spec_fields
from bgpd.kube.referencevalues import SAMPLES, Off, Sample

PATH: Final = "config/reference.yaml"
_WIDTH: Final = 100
_PLAIN: Final = re.compile(r"[A-Za-z/][A-Za-z0-9/._:-]*|[0-9]+\.[0-9.]+[0-9./-]*|[0-9]+[smh]")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"})
_HEAD: Final = """\
# Every field of every kind of ours, to copy from. Written by scripts/docs from
# bgpd.kube.reference; do not edit. `bgpctl validate config/reference.yaml` takes all of it.
# What cannot stand beside the rest, or has no effect, is behind a `#`.
"""


def file() -> str:
    """Return the text of the file."""
    told: set[tuple[str, str]] = set()
    return _HEAD + "".join(f"{line}\n" for one in SAMPLES for line in _document(one, told))


def _document(sample: Sample, told: set[tuple[str, str]]) -> Iterator[str]:
    yield "---"
    yield from _comment(sample.about, 0)
    yield "apiVersion: bgpd.io/v1alpha1"
    yield f"kind: {sample.kind}"
    yield "metadata:"
    yield f"  name: {sample.name}"
    if sample.kind == "HealthCheck":
        yield "  namespace: default"
    yield "spec:"
    fields = dict(spec_fields(sample.kind))
    yield from _Writer(sample.kind, fields, told).mapping(sample.spec, "", 2)


class _Writer:
    """Writes the fields of one document; what was *told* above is not told again."""

    def __init__(self, kind: str, fields: Mapping[str, Field], told: set[tuple[str, str]]) -> None:
        self._kind = kind
        self._fields = fields
        self._told = told

    def mapping(self, values: Mapping[str, Any], path: str, indent: int) -> Iterator[str]:
        """Yield the lines of one block of fields."""
        for name, value in values.items():
            yield from self._field(f"{path}.{name}" if path else name, name, value, indent)

    def _field(self, path: str, name: str, value: Any, indent: int) -> Iterator[str]:
        if (self._kind, path) not in self._told:
            self._told.add((self._kind, path))
            yield from _comment(self._words(path, value), indent)
        blank = " " * indent
        match value:
            case Off(value=inner):
                yield f"{blank}# {name}: {_flow(inner)}"
            case dict() if self._has_fields(path):
                yield f"{blank}{name}:"
                yield from self.mapping(value, path, indent + 2)
            case list() if self._has_fields(path):
                yield f"{blank}{name}:"
                for one in value:
                    yield from self._item(one, path, indent + 2)
            case _:
                yield f"{blank}{name}: {_flow(value)}"

    def _item(self, value: Mapping[str, Any], path: str, indent: int) -> Iterator[str]:
        """Yield one object of a list: the dash stands before its first field."""
        dash = False
        for line in self.mapping(value, path, indent + 2):
            if not dash and not line.lstrip().startswith("#"):
                dash = True
                yield f"{line[:indent]}- {line[indent + 2 :]}"
            else:
                yield line

    def _has_fields(self, path: str) -> bool:
        return any(one.startswith(f"{path}.") for one in self._fields)

    def _words(self, path: str, value: object) -> str:
        field = self._fields[path]
        legal = "" if field.legal == "an object" else f" ({field.legal})"
        off = f"; {value.why}" if isinstance(value, Off) else ""
        required = "; required" if field.required else ""
        return f"{MEANINGS[self._kind][path]}{legal}{required}{off}"


def _comment(words: str, indent: int) -> Iterator[str]:
    blank = " " * indent
    wrapped = textwrap.wrap(words, _WIDTH - indent - 2, break_long_words=False)
    yield from (f"{blank}# {line}" for line in wrapped)


def _flow(value: Any) -> str:
    """Return *value* in YAML's flow style, with quotes where they are needed."""
    match value:
        case dict():
            return "{" + ", ".join(f"{name}: {_flow(one)}" for name, one in value.items()) + "}"
        case list():
            return "[" + ", ".join(_flow(one) for one in value) + "]"
        case str() if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        case _:
            return json.dumps(value)
