"""From a wire form to the structural schema of a CustomResourceDefinition.

Types, bounds and legal words are read off `bgpd.kube.objects`; what the words mean to the API
server comes from `bgpd.kube.crd_rules`. A field without a description or a bound is an error here,
so that none can be forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from msgspec import NODEFAULT, inspect

from bgpd.kube import objects
from bgpd.kube.crd_rules import CHECKS, NO_TWINS, RULES, SECRETS, UNLIKE
from bgpd.kube.fields import words_of

Schema: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What the schema says beside what the wire form says, by path from the root of the schema."""

    meanings: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The keys of lists that several writers share; all others are replaced as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Peeled:
    """A type without null and annotations, and what these said."""

    plain: Any
    words: str = ""
    description: str = ""
    format: str = ""


def schema_of(form: type, texts: Texts, path: str = "") -> Schema:
    """Return the schema of the wire form *form*, whose place is *path*."""
    return _object(inspect.type_info(form), texts, path)


def _peel(info: Any) -> _Peeled:
    words = description = format_ = ""
    while True:
        match info:
            case inspect.Metadata(type=inner, extra=extra, extra_json_schema=more):
                words = (extra or {}).get("legal", "") or words
                description = (more or {}).get("description", "") or description
                format_ = (more or {}).get("format", "") or format_
                info = inner
            case inspect.UnionType(types=types):
                info = next(one for one in types if not isinstance(one, inspect.NoneType))
            case _:
                return _Peeled(plain=info, words=words, description=description, format=format_)


def _object(info: Any, texts: Texts, path: str) -> Schema:
    cls = info.cls
    required = [one.encode_name for one in info.fields if one.required]
    found: Schema = {"type": "object"}
    if required:
        found["required"] = required
    if cls is objects.LabelSelector:
        found["x-kubernetes-map-type"] = "atomic"
    found["properties"] = {
        one.encode_name: _field(one, texts, f"{path}.{one.encode_name}".lstrip("."))
        for one in info.fields
    }
    if cls in RULES:
        found["x-kubernetes-validations"] = [rule.document() for rule in RULES[cls]]
    return found


def _field(one: Any, texts: Texts, path: str) -> Schema:
    peeled = _peel(one.type)
    found = {"description": _description(peeled, texts, path)}
    if path in texts.defaults:
        found["default"] = texts.defaults[path]
    elif one.default not in {None, NODEFAULT, "", False}:
        raise ValueError(f"{path}: the wire form has a default that the schema does not")
    return found | _value(peeled, texts, path)


def _description(peeled: _Peeled, texts: Texts, path: str) -> str:
    if peeled.description:
        return peeled.description
    name = path.rpartition(".")[2]
    meaning = texts.meanings.get(path.replace("[]", "")) or _SELECTOR.get(name)
    if not meaning:
        raise ValueError(f"{path}: has no description")
    words = peeled.words or _item_words(peeled.plain)
    sentence = f"{meaning[0].upper()}{meaning[1:]}."
    if not words or isinstance(peeled.plain, inspect.BoolType | inspect.StructType):
        return sentence
    return f"{sentence} Legal: {words}."


def _item_words(plain: Any) -> str:
    """Return the legal words of a scalar, or of the scalars of a list."""
    match plain:
        case inspect.ListType(item_type=item):
            peeled = _peel(item)
            return peeled.words or _item_words(peeled.plain)
        case inspect.StructType():
            return ""
        case inspect.StrType(min_length=None):
            return ""
        case _:
            return words_of(plain)


def _value(peeled: _Peeled, texts: Texts, path: str) -> Schema:
    match peeled.plain:
        case inspect.StructType():
            return _object(peeled.plain, texts, path) | _checked(peeled)
        case inspect.ListType():
            return _list(peeled.plain, texts, path)
        case inspect.DictType(value_type=value, max_length=int(most)):
            inner = _value(_peel(value), texts, path)
            return {"type": "object", "maxProperties": most, "additionalProperties": inner}
        case inspect.StrType():
            return _text(peeled, path)
        case _:
            return _scalar(peeled.plain, path) | _checked(peeled)


def _scalar(plain: Any, path: str) -> Schema:
    match plain:
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.IntType(ge=int(least), le=int(most)):
            return {"type": "integer", "format": "int64", "minimum": least, "maximum": most}
        case inspect.EnumType(cls=enum):
            return {"type": "string", "enum": [one.value for one in enum]}
        case inspect.LiteralType(values=values):
            return {"type": "string", "enum": list(values)}
        case _:
            raise ValueError(f"{path}: {plain} has no place in a schema, or no bounds")


def _list(info: Any, texts: Texts, path: str) -> Schema:
    if info.max_length is None:
        raise ValueError(f"{path}: is a list without an end")
    found: Schema = {"type": "array", "maxItems": info.max_length}
    if info.min_length:
        found["minItems"] = info.min_length
    if path in texts.keys:
        found["x-kubernetes-list-type"] = "map"
        found["x-kubernetes-list-map-keys"] = list(texts.keys[path])
    else:
        struct = isinstance(_peel(info.item_type).plain, inspect.StructType)
        twins = struct or path.rpartition(".")[2] not in NO_TWINS
        found["x-kubernetes-list-type"] = "atomic" if twins else "set"
    item = _peel(info.item_type)
    found["items"] = _value(item, texts, f"{path}[]")
    if getattr(item.plain, "cls", None) is objects.LabelSelector:
        found["x-kubernetes-validations"] = [UNLIKE.document()]
    return found


def _text(peeled: _Peeled, path: str) -> Schema:
    plain = peeled.plain
    check = CHECKS.get(peeled.words)
    longest = check.longest if check else plain.max_length
    if peeled.words in SECRETS:
        longest = SECRETS[peeled.words]
    elif peeled.words and check is None:
        raise ValueError(f"{path}: nothing checks {peeled.words!r}")
    if longest is None:
        raise ValueError(f"{path}: is a text without an end")
    found: Schema = {"type": "string", "maxLength": longest}
    if plain.min_length:
        found["minLength"] = plain.min_length
    if peeled.format:
        found["format"] = peeled.format
    return found | _checked(peeled)


def _checked(peeled: _Peeled) -> Schema:
    """Return the rule for a value of its own, with the words of our own errors as its message."""
    check = CHECKS.get(peeled.words)
    words, expression = peeled.words, check.expression if check else ""
    match peeled.plain:
        case inspect.IntType(ge=int(least), le=int(most)) if not check and not peeled.description:
            words = words_of(peeled.plain)
            expression = f"self >= {least} && self <= {most}"
        case _ if not check:
            return {}
        case _:
            pass
    return {"x-kubernetes-validations": [{"rule": expression, "message": f"must be {words}"}]}


_SELECTOR: Final[Mapping[str, str]] = {
    "matchLabels": "labels that must all be there with these values",
    "matchExpressions": "conditions on labels that must all hold",
    "key": "the label",
    "operator": "how the label is compared",
    "values": "the values that it is compared with; only for In and NotIn",
    "name": "the name of the Secret",
    "namespace": "absent, or the namespace of the object itself",
}
"""What the fields of selectors and references mean, wherever they stand."""
