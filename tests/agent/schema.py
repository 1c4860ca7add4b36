"""As much of JSON Schema as docs/native-dialect.schema.json uses, and not a keyword more."""

import re
from typing import Any

TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
SILENT = {"$ref", "title", "description"}
"Keywords that check nothing by themselves."


class Schema:
    """One schema of a document; `errors` tells what does not fit it."""

    def __init__(self, document: dict[str, Any], rule: dict[str, Any]) -> None:
        self._document = document
        self._rule = self._resolve(rule)

    def errors(self, value: Any, *, strict: bool = False, at: str = "$") -> list[str]:
        """What is wrong with a value; strict: fields that the schema does not name are wrong too."""
        found: list[str] = []
        for keyword, expected in self._rule.items():
            if keyword not in SILENT:
                check = getattr(self, "_" + keyword)
                found += [
                    error if error.startswith("$") else f"{at}: {error}"
                    for error in check(value, expected, strict, at)
                ]
        return found

    def _resolve(self, rule: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in rule:
            return rule
        target: Any = self._document
        for step in rule["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        assert isinstance(target, dict)
        return target

    def _type(self, value: Any, expected: str, strict: bool, at: str) -> list[str]:
        fits = isinstance(value, TYPES[expected]) and (expected == "boolean" or not isinstance(value, bool))
        return [] if fits else [f"not of type {expected}"]

    def _const(self, value: Any, expected: Any, strict: bool, at: str) -> list[str]:
        return [] if value == expected and type(value) is type(expected) else [f"not {expected!r}"]

    def _enum(self, value: Any, expected: list[Any], strict: bool, at: str) -> list[str]:
        return [] if value in expected else [f"not one of {expected}"]

    def _minimum(self, value: Any, expected: int, strict: bool, at: str) -> list[str]:
        return [f"below {expected}"] if isinstance(value, int | float) and value < expected else []

    def _maxLength(self, value: Any, expected: int, strict: bool, at: str) -> list[str]:
        return [f"longer than {expected}"] if isinstance(value, str) and len(value) > expected else []

    def _pattern(self, value: Any, expected: str, strict: bool, at: str) -> list[str]:
        return [f"not {expected}"] if isinstance(value, str) and not re.search(expected, value) else []

    def _required(self, value: Any, expected: list[str], strict: bool, at: str) -> list[str]:
        return [f"no {name}" for name in expected if isinstance(value, dict) and name not in value]

    def _properties(self, value: Any, expected: dict[str, Any], strict: bool, at: str) -> list[str]:
        if not isinstance(value, dict):
            return []
        errors = [f"undocumented {name}" for name in value if strict and name not in expected]
        for name, rule in expected.items():
            if name in value:
                inner = Schema(self._document, rule)
                errors += inner.errors(value[name], strict=strict, at=f"{at}.{name}")
        return errors

    def _additionalProperties(self, value: Any, expected: Any, strict: bool, at: str) -> list[str]:
        inner = Schema(self._document, expected)
        return [error for name in value for error in inner.errors(value[name], at=f"{at}.{name}")]

    def _oneOf(self, value: Any, expected: list[Any], strict: bool, at: str) -> list[str]:
        tried = [Schema(self._document, rule).errors(value, strict=strict, at=at) for rule in expected]
        fitting = sum(not errors for errors in tried)
        return [] if fitting == 1 else [f"fits {fitting} of {len(expected)}: {tried}"]
