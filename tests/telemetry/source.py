"""Reads what our own source logs and which conditions it makes, for tests of the catalogs."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

PACKAGE: Final = Path(__file__).resolve().parent.parent.parent / "bgpd"
LEVELS: Final = frozenset({"debug", "info", "warning", "error"})
_WRITERS: Final = frozenset({"write", "note", "Note", "_note", "_summary", "Line"})
"""What is called with a level, an event and its keys, in this order."""
_SNAKE: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_CAMEL: Final = re.compile(r"(BFD)?[A-Z][a-z]+[A-Za-z0-9]*|NoURL")
_MAKERS: Final = frozenset({"Condition", "refusals", "Failure", "Told", "Verdict"})
"""What is called to make a condition."""
_CATALOGS: Final = ("eventcatalog.py", "conditioncatalog.py", "kubeevents.py")
_DEEP: Final = 3

_Scope: TypeAlias = Mapping[str, list[ast.expr]]


@dataclass(slots=True)
class Logged:
    """What the source says of one event."""

    levels: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)


@cache
def modules() -> tuple[tuple[str, ast.Module], ...]:
    """Return every module of ours but the catalogs themselves, by its path in the package."""
    return tuple(
        (str(path.relative_to(PACKAGE)), ast.parse(path.read_text()))
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name not in _CATALOGS
    )


def logged() -> dict[str, Logged]:
    """Return every event that some line of the source writes to the log."""
    found: dict[str, Logged] = defaultdict(Logged)
    for name, tree in modules():
        constants = _assigned(tree.body)
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                scope = {**constants, **_assigned(ast.walk(function))}
                for call in ast.walk(function):
                    if isinstance(call, ast.Call) and _called(call) in _WRITERS:
                        _take(call, scope, name, found)
    return dict(found)


def words() -> dict[str, set[str]]:
    """Return every word in CamelCase of the modules that make conditions, and where it is."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, tree in modules():
        if name.startswith("ctl/"):
            continue
        if any(isinstance(one, ast.Call) and _called(one) in _MAKERS for one in ast.walk(tree)):
            for word in literals(tree):
                if _CAMEL.fullmatch(word):
                    found[word].add(name)
    return dict(found)


def literals(tree: ast.AST) -> Iterator[str]:
    """Yield every text in *tree* that is no docstring."""
    docstrings = {
        id(one.body[0].value)
        for one in ast.walk(tree)
        if isinstance(one, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and one.body
        and isinstance(one.body[0], ast.Expr)
    }
    for one in ast.walk(tree):
        text = one.value if isinstance(one, ast.Constant) else None
        if isinstance(text, str) and id(one) not in docstrings:
            yield text


def _take(call: ast.Call, scope: _Scope, name: str, found: dict[str, Logged]) -> None:
    for position in range(len(call.args) - 1):
        levels = _texts(call.args[position], scope) & LEVELS
        events = _texts(call.args[position + 1], scope) - LEVELS
        events = {one for one in events if _SNAKE.fullmatch(one)}
        if levels and events:
            keys = {one.arg for one in call.keywords if one.arg}
            for rest in call.args[position + 2 :]:
                keys |= _keys(rest, scope)
            for event in events:
                one = found[event]
                one.levels |= levels
                one.keys |= keys
                one.files.add(name)
            return


def _texts(node: ast.expr, scope: _Scope, deep: int = 0) -> set[str]:
    """Return every text that *node* may come to, as far as names lead."""
    found: set[str] = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            found.add(one.value)
        if isinstance(one, ast.Name) and deep < _DEEP:
            for value in scope.get(one.id, ()):
                if value is not node:
                    found |= _texts(value, scope, deep + 1)
    return found


def _keys(node: ast.expr, scope: _Scope, deep: int = 0) -> set[str]:
    """Return the first of every pair that *node* may come to, as far as names lead."""
    found: set[str] = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Tuple) and len(one.elts) == 2:
            first = one.elts[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.add(first.value)
        if isinstance(one, ast.Name) and deep < _DEEP:
            for value in scope.get(one.id, ()):
                found |= _keys(value, scope, deep + 1)
    return found


def _assigned(nodes: Iterable[ast.AST]) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = defaultdict(list)
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        found[name.id].append(node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id].append(node.value)
    return found


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""
