"""The shape of the code, held against docs/architecture.md by reading the source."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gateway"

ROWS = (
    ("__main__", "cli"),
    ("commands", "demo"),
    ("app", "phones"),
    ("api", "web"),
    ("batch",),
    ("call", "events", "provisioning"),
    ("net", "store", "recordings", "providers", "numbering"),
    ("tell",),
    ("sip", "media", "routing", "agent"),
)
"From the top down. A row may import those below it and, unless it is the last, its own."

ANYWHERE = {"config", "__init__"}
"Frozen values that every row above the pure one may read."

PURE = frozenset(ROWS[-1])
"Packages that only compute: no I/O, no clock, no environment, no log, and not each other."

ALLOWED = {("agent", "gateway.media.audio")}
"The exceptions of the table: (package, module it may name all the same)."

CLOSED = ("gateway.store.engine",)
"Rooms of a package that know nothing of its others: those stand on them."

WORLD = {"asyncio", "socket", "time", "logging", "structlog", "random", "threading", "subprocess", "ssl"}
"Modules through which the world gets in; a pure package takes time and randomness as arguments."

LONGEST_FILE = 450
"Lines; the docstring of a longer one says why it is one file."

FILE_REASON = re.compile(r"^Longer than most: \w.+\.$", re.M)

LONGEST_FUNCTION = 40
"Lines without its docstring, which says why a longer one is not two."

FUNCTION_REASON = re.compile(r"^Long, since \w.+\.$", re.M)

FORBIDDEN_WORDS = ("Manager", "Handler", "Helper", "Service", "Info", "Utils")
"Words that say nothing about what a thing is."

RFC_NAMES = {"InfoReceived"}
"Names in which `Info` is the SIP method of RFC 6086."

CALLBACKS = re.compile(
    r"connection_(made|lost)|(data|datagram|error|eof)_received|(pause|resume)_writing|on_ws_\w+"
)
"Methods that asyncio and picows name and describe; ours need no docstring of their own."

SOURCES = sorted(PACKAGE.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    """The parsed source of one file."""
    return ast.parse(path.read_text(), str(path))


def part_of(path: Path) -> str:
    """The package below `gateway`, or the top-level module, that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def absolute(path: Path, node: ast.ImportFrom) -> str:
    """The module that a `from … import` names, relative ones resolved."""
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).parent.parts
    base = package[: len(package) - node.level + 1]
    return ".".join((*base, node.module) if node.module else base)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every import in a file, as (line, dotted name); those inside functions and `if TYPE_CHECKING` too."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = absolute(path, node)
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def names(module: str, prefix: str) -> bool:
    """Whether a dotted name is the prefix or something in it."""
    return module == prefix or module.startswith(prefix + ".")


def row_of(part: str) -> int:
    """How far down a part stands; what the table does not name fails the test that it should be named."""
    return next((number for number, row in enumerate(ROWS) if part in row), -1)


def may_import(part: str, module: str) -> bool:
    """Whether `part` may import the dotted name, by the table."""
    if any(part == who and names(module, what) for who, what in ALLOWED):
        return True
    target = module.split(".")[1] if "." in module else "__init__"
    if target == part:
        return True
    if row_of(target) < 0:  # config, or a name such as `gateway.__version__`
        return part not in PURE
    return row_of(target) > row_of(part) or (row_of(target) == row_of(part) and part not in PURE)


def where(path: Path, line: int) -> str:
    """How a finding is told: clickable in most terminals."""
    return f"{path.relative_to(ROOT)}:{line}"


def test_every_part_is_in_the_table() -> None:
    """A new package or module below `gateway` has to be given its row."""
    unknown = {part_of(path) for path in SOURCES if row_of(part_of(path)) < 0} - ANYWHERE
    assert not unknown


def test_imports_point_downward() -> None:
    """No part imports what stands above it, and the pure packages do not import each other."""
    wrong = [
        f"{where(path, line)} {part_of(path)} imports {module}"
        for path in SOURCES
        if part_of(path) not in ANYWHERE
        for line, module in imports(path)
        if names(module, "gateway") and not may_import(part_of(path), module)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", CLOSED)
def test_rooms_point_downward(room: str) -> None:
    """Within a package too: what its rooms stand on does not import them."""
    wrong = [
        f"{where(path, line)} imports {module}"
        for path in sorted((ROOT / room.replace(".", "/")).rglob("*.py"))
        for line, module in imports(path)
        if names(module, room.rpartition(".")[0]) and not names(module, room)
    ]
    assert not wrong, "\n".join(wrong)


def test_a_package_names_its_modules() -> None:
    """Its docstring is its part of the layout."""
    wrong = []
    for package in sorted(PACKAGE.rglob("__init__.py")):
        if package.parent == PACKAGE or "migrations" in package.parts:
            continue
        told = set(re.findall(r"^([a-z_0-9]+)(?:\.py|/) ", ast.get_docstring(tree_of(package)) or "", re.M))
        modules = {path.stem for path in package.parent.glob("*.py")} - {"__init__"}
        rooms = {path.parent.name for path in package.parent.glob("*/__init__.py")}
        wrong += [f"{where(package, 1)} {name}" for name in sorted(told ^ (modules | rooms))]
    assert not wrong, "\n".join(wrong)


def test_config_imports_no_part() -> None:
    """The configuration is a value that every part may read, so it knows only the pure ones."""
    wrong = [
        f"{where(path, line)} imports {module}"
        for path in SOURCES
        if part_of(path) in ANYWHERE
        for line, module in imports(path)
        if names(module, "gateway") and module.split(".")[1] not in PURE | ANYWHERE
    ]
    assert not wrong, "\n".join(wrong)


def test_pure_packages_do_not_ask_the_world() -> None:
    """The bottom row imports no event loop, socket, clock, log or randomness, and reads no environment."""
    wrong = [
        f"{where(path, line)} imports {module}"
        for path in SOURCES
        if part_of(path) in PURE
        for line, module in imports(path)
        if module.split(".")[0] in WORLD or module in ("os.environ", "os.getenv", "datetime.now")
    ]
    wrong += [
        f"{where(path, node.lineno)} uses {ast.unparse(node)}"
        for path in SOURCES
        if part_of(path) in PURE
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
        and re.fullmatch(
            r"os\.(environ|getenv|urandom)|(datetime\.)?datetime\.(now|utcnow)", ast.unparse(node)
        )
    ]
    assert not wrong, "\n".join(wrong)


def has_reason(node: ast.AST, reason: re.Pattern[str]) -> bool:
    """Whether a docstring says why something is long."""
    assert isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef)
    return reason.search(ast.get_docstring(node) or "") is not None


def test_long_files_say_why() -> None:
    """A file over the limit says at its head why it is one file, and no other does."""
    wrong = []
    for path in SOURCES:
        lines = len(path.read_text().splitlines())
        if (lines > LONGEST_FILE) != has_reason(tree_of(path), FILE_REASON):
            wrong.append(f"{where(path, 1)} has {lines} lines")
    assert not wrong, "\n".join(wrong)


def functions(tree: ast.Module) -> Iterator[tuple[int, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of a file, those in functions too, and how many lines it has without its docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = node.body[0] if ast.get_docstring(node) is not None else None
            told = 0 if docstring is None else (docstring.end_lineno or 0) - docstring.lineno + 1
            yield (node.end_lineno or 0) - node.lineno + 1 - told, node


def test_long_functions_say_why() -> None:
    """A function over the limit says in its docstring why it is not two, and no other does."""
    wrong = [
        f"{where(path, node.lineno)} {node.name} has {lines} lines"
        for path in SOURCES
        for lines, node in functions(tree_of(path))
        if (lines > LONGEST_FUNCTION) != has_reason(node, FUNCTION_REASON)
    ]
    assert not wrong, "\n".join(wrong)


def definitions(path: Path) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Everything that a file defines at its top level and in its classes, with its qualified name."""

    def inside(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.stmt]]:
        for node in body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from inside(node.body, f"{prefix}{node.name}.")

    for name, node in inside(tree_of(path).body, ""):
        assert isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        yield name, node


def words(name: str) -> list[str]:
    """The words of a CamelCase or snake_case name, each with a capital."""
    return [word.capitalize() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)]


def test_names_say_what_things_are() -> None:
    """No class, module or package is named with a word that would fit any other as well."""
    named = [(where(path, 1), path.stem) for path in SOURCES]
    named += [
        (where(path, node.lineno), node.name)
        for path in SOURCES
        for _, node in definitions(path)
        if isinstance(node, ast.ClassDef) and node.name not in RFC_NAMES
    ]
    wrong = [f"{place} {name}" for place, name in named if set(words(name)) & set(FORBIDDEN_WORDS)]
    assert not wrong, "\n".join(wrong)


def is_overload(node: ast.AST) -> bool:
    """Whether a definition is one signature of an overloaded function, whose docstring is the last one's."""
    return any(
        ast.unparse(decorator).endswith("overload") for decorator in getattr(node, "decorator_list", [])
    )


def is_setter(node: ast.AST) -> bool:
    """Whether a definition is the setter of a property, whose docstring is the getter's."""
    return any(
        ast.unparse(decorator).endswith(".setter") for decorator in getattr(node, "decorator_list", [])
    )


def undocumented(path: Path) -> Iterator[str]:
    """What of a file has no docstring though it needs one."""
    if not ast.get_docstring(tree_of(path)):
        yield f"{where(path, 1)} the module"
    for name, node in definitions(path):
        private = any(part.startswith("_") for part in name.split("."))
        elsewhere = CALLBACKS.fullmatch(node.name) or is_overload(node) or is_setter(node)
        if not (private or elsewhere or ast.get_docstring(node)):
            yield f"{where(path, node.lineno)} {name}"


def test_everything_public_has_a_docstring() -> None:
    """Each module, and each class and function that its name does not make private, says what it is."""
    missing = [line for path in SOURCES for line in undocumented(path)]
    assert not missing, "\n".join(missing)
