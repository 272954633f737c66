"""Small faults in the modules of a package, one at a time. A mutant is a module with one of them.

Faults: another comparison, arithmetic or boolean operator; a sign or `not` left out; a number one more, one less or of
another sign; another word; a condition negated; None returned; a call whose value nobody takes, or a raise, left out; a
slice without a bound. Left alone are docstrings, annotations and decorators, what a raise says, and any text with a
space in it: that is for people, and tests look for its main words only.
"""

import ast
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

OPERATORS = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.BitAnd,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
AROUND = 40  # characters shown on each side of a difference
LEFT_ALONE = {"annotation", "returns", "decorator_list", "exc", "cause", "format_spec"}


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes:
        path: of the module, from the root.
        line: of the fault.
        before, after: the line of the statement that differs, as `ast.unparse` writes it.
        twin: how many mutants of the module with the same `before` and `after` come before.
    """

    path: str
    line: int = field(compare=False)
    before: str
    after: str
    twin: int = 0

    def __str__(self) -> str:
        """`file:line before -> after`, of a long line what is around the difference."""
        same = len(os.path.commonprefix([self.before, self.after]))
        rest = len(os.path.commonprefix([self.before[same:][::-1], self.after[same:][::-1]]))
        begin = max(same - AROUND, 0)
        parts = (text[begin : len(text) - max(rest - AROUND, 0)] for text in (self.before, self.after))
        return f"{self.path}:{self.line} {' -> '.join(parts)}"

    def rank(self, seed: int) -> str:
        """A random number that edits elsewhere do not change: a later sample of an edited module is nearly the same."""
        text = json.dumps([seed, self.path, self.before, self.after, self.twin])
        return hashlib.sha256(text.encode()).hexdigest()


def mutants(path: str, tree: ast.Module) -> Iterator[Mutant]:
    """Each fault in turn. While the caller holds a mutant, `tree` has that fault; afterwards it is as it was."""
    twins: dict[tuple[str, str], int] = {}
    for statement, holder, key, node in _places(tree, None):
        before = ast.unparse(statement).splitlines()
        for replacement in _replacements(node):
            holder[key] = replacement
            after = ast.unparse(replacement if statement is node else statement).splitlines()
            pair = next((two for two in zip(before, after, strict=False) if two[0] != two[1]), None)
            if pair:
                twins[pair] = twins.get(pair, -1) + 1
                yield Mutant(
                    path, getattr(node, "lineno", statement.lineno), *(text.strip() for text in pair), twins[pair]
                )
        holder[key] = node


def _places(node: ast.AST, statement: ast.stmt | None) -> Iterator[tuple[ast.stmt, dict | list, str | int, ast.AST]]:
    """The statement around a node, what holds the node under which key, and the node."""
    for name, value in ast.iter_fields(node):
        if name in LEFT_ALONE:
            continue
        holder = value if isinstance(value, list) else vars(node)
        for key in range(len(value)) if isinstance(value, list) else (name,):
            child = holder[key]
            if isinstance(child, ast.AST) and not _is_for_people(node, child):
                around = child if isinstance(child, ast.stmt) else statement
                if around is not None:
                    yield around, holder, key, child
                yield from _places(child, around)


def _is_for_people(parent: ast.AST, node: ast.AST) -> bool:
    """Whether it is a docstring, or text with a space in it; all pieces of an f-string go together."""
    if isinstance(parent, ast.Expr) and isinstance(node, ast.Constant):
        return True
    pieces = parent.values if isinstance(parent, ast.JoinedStr) else [node]
    texts = [piece.value for piece in pieces if isinstance(piece, ast.Constant) and isinstance(piece.value, str)]
    return isinstance(node, ast.Constant) and any(text.split() != [text] for text in texts if text)


def _replacements(node: ast.AST) -> Iterator[ast.AST]:
    for name in ("op", "ops"):
        operators = getattr(node, name, None)
        for place, operator in enumerate(operators if name == "ops" and operators else [operators]):
            for other in OPERATORS.get(type(operator), ()):
                new = [*operators[:place], other(), *operators[place + 1 :]] if name == "ops" else other()
                yield _with(node, **{name: new})
    match node:
        case ast.UnaryOp():
            yield node.operand
        case ast.Constant():
            yield from (ast.Constant(value) for value in _other_values(node.value))
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(ast.Constant(None))
        case ast.Raise() | ast.Expr(value=ast.Call()):
            yield ast.Pass()
        case ast.Slice():
            yield from (_with(node, **{bound: None}) for bound in ("lower", "upper") if getattr(node, bound))
        case ast.comprehension(ifs=[_, *_]):
            yield _with(node, ifs=[_negated(node.ifs[0]), *node.ifs[1:]])
        case ast.If() | ast.IfExp() | ast.While() | ast.Assert() if not isinstance(
            node.test, ast.Compare | ast.UnaryOp
        ):
            yield _with(node, test=_negated(node.test))


def _with(node: ast.AST, **changed) -> ast.AST:
    new = type(node)(**(dict(ast.iter_fields(node)) | changed))
    return ast.copy_location(new, node)


def _negated(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)


def _other_values(value: object) -> list:
    match value:
        case bool():
            return [not value]
        case int():
            return [value + 1, value - 1]
        case float():
            return [value + 1, -value] if value else [1.0]
        case str():
            return ["x" + value]
        case bytes():
            return [b"x" + value]
    return []


def sample(root: Path, package: str, count: int, seed: int) -> tuple[list[Mutant], int]:
    """`count` mutants of the package in random order, or all where there are fewer; and how many it has."""
    files = [path.relative_to(root).as_posix() for path in sorted((root / "helpers" / package).rglob("*.py"))]
    found = {name: list(mutants(name, ast.parse((root / name).read_bytes()))) for name in files}
    total = sum(map(len, found.values()))
    exact = {name: min(count, total) * len(listed) / max(total, 1) for name, listed in found.items()}
    quota = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(files, key=lambda name: quota[name] - exact[name])
    for name in by_remainder[: min(count, total) - sum(quota.values())]:
        quota[name] += 1
    chosen = [one for name in files for one in sorted(found[name], key=lambda one: one.rank(seed))[: quota[name]]]
    return sorted(chosen, key=lambda one: one.rank(seed)), total


def mutated(mutant: Mutant, text: bytes) -> str:
    """The module with the fault, without the comments."""
    tree = ast.parse(text)
    return next(ast.unparse(tree) for one in mutants(mutant.path, tree) if one == mutant)
