"""Every field of every kind with its legal range: the one table behind errors and the reference.

The table is read off the wire forms in `bgpd.kube.objects`, so it cannot drift from the checks.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from msgspec import inspect

from bgpd.kube.kinds import KINDS

_INDEX: Final = re.compile(r"\[[^]]*\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: *path* is `spec.takeover.lever`, with `[]` after a list."""

    path: str
    type: str
    legal: str
    required: bool


@cache
def fields_of(kind: str) -> Mapping[str, Field]:
    """Return the fields of *kind* by path without `[]`, in the order of the wire form.

    There are none of a kind that people do not write.
    """
    wire = next((form for (_, name), form in KINDS.items() if name == kind), None)
    if wire is None:
        return {}
    found = _walk(inspect.type_info(wire), "")
    return {_INDEX.sub("", field.path): field for field in found}


def legal(kind: str, path: str) -> str:
    """Return what *path* of *kind* may be, in words; the empty text where nobody knows it."""
    field = fields_of(kind).get(_INDEX.sub("", path))
    return field.legal if field else ""


def known(kind: str, path: str) -> tuple[str, ...]:
    """Return the names of the fields directly under *path*."""
    prefix = _INDEX.sub("", path) + "."
    rest = (one.removeprefix(prefix) for one in fields_of(kind) if one.startswith(prefix))
    return tuple(sorted(name for name in rest if "." not in name))


def _walk(info: Any, path: str) -> Iterator[Field]:
    for field in info.fields:
        below = f"{path}.{field.encode_name}" if path else str(field.encode_name)
        yield from _field(field.type, below, required=bool(field.required))


def _field(info: Any, path: str, *, required: bool) -> Iterator[Field]:
    words, plain = unwrap(info)
    match plain:
        case inspect.ListType(item_type=item, min_length=least, max_length=most):
            item_words, item_plain = unwrap(item)
            path += "[]"
            type_ = f"list of {_type(item_plain)}"
            words = words or item_words or words_of(item_plain)
            if least:
                words += f"; at least {least} in the list"
            if most is not None:
                words += f"; at most {most} in the list"
            plain = item_plain
        case _:
            type_ = _type(plain)
            words = words or words_of(plain)
    yield Field(path=path, type=type_, legal=words, required=required)
    if isinstance(plain, inspect.StructType):
        yield from _walk(plain, path)


def unwrap(info: Any) -> tuple[str, Any]:
    """Return the words that a type carries, and the type without them and without null."""
    words = ""
    while True:
        match info:
            case inspect.Metadata(type=inner, extra=extra):
                words = (extra or {}).get("legal", "") or words
                info = inner
            case inspect.UnionType(types=types):
                info = next(one for one in types if not isinstance(one, inspect.NoneType))
            case _:
                return words, info


def _type(info: Any) -> str:
    match info:
        case inspect.IntType():
            return "integer"
        case inspect.BoolType():
            return "boolean"
        case inspect.StrType() | inspect.EnumType() | inspect.LiteralType():
            return "string"
        case _:
            return "object"


def words_of(info: Any) -> str:
    """Return what a type without words of its own may be."""
    match info:
        case inspect.IntType(ge=least, le=most) if least is not None and most is not None:
            return str(least) if least == most else f"{least}..{most}"
        case inspect.EnumType(cls=enum):
            return "one of " + ", ".join(str(one.value) for one in enum)
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(str(one) for one in values)
        case inspect.DictType(value_type=inspect.StrType()):
            return "a map of text to text (quote numbers and true/false)"
        case inspect.StrType(min_length=least) if least:
            return "text that is not empty"
        case _:
            return _PLAIN.get(type(info), "an object")


_PLAIN: Final[Mapping[type, str]] = {
    inspect.BoolType: "true or false",
    inspect.StrType: "text",
    inspect.IntType: "a whole number",
}
