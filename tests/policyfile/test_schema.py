"""The JSON Schema never marks what lint accepts, and marks wrong keys and forms as lint does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rollout.policyfile.composing import compose
from rollout.policyfile.nodes import plain
from rollout.policyfile.reading import read
from rollout.policyfile.schema import schema
from rollout.policyfile.shapes import File
from tests.command import ROOT
from tests.policyfile.files import FULL, GOOD
from tests.policyfile.mutations import EXAMPLES, mutated

SCHEMA: Final = schema()
VALIDATOR: Final = jsonschema.Draft202012Validator(SCHEMA)
RIGHT: Final = {
    "good": GOOD,
    "full": FULL,
    **{file.stem: file.read_text() for file in sorted((ROOT / "policies").glob("*.yaml"))},
}
WRONG: Final = {
    file.stem: file.read_text(encoding="utf-8", errors="replace")
    for file in sorted((ROOT / "tests" / "golden" / "policies" / "wrong").glob("*.yaml"))
}
NEEDS_ARITHMETIC: Final = {
    "ceilings_that_nothing_passes",
    *("expectation_that_leaves_no_room", "layer_of_more_than_all", "mirror_of_more_than_all"),
    *("weight_too_fine", "window_of_an_abbreviation", "window_of_no_zone", "window_overnight"),
}
"""Wrong by a value that is well written: a schema knows forms only."""


def as_an_editor_reads(text: str) -> object:
    """Return what YAML 1.2 makes of a text."""
    return YAML(typ="safe", pure=True).load(text)


def marks(text: str) -> list[str]:
    """Return where the schema marks a text."""
    return [error.json_path for error in VALIDATOR.iter_errors(as_an_editor_reads(text))]


def is_misshapen(text: str) -> bool:
    """Return whether a key or a form is wrong, whatever must fit together."""
    document = compose(text)
    if document.root is None or document.hidden:
        return False
    try:
        File.model_validate(plain(document.root))
    except ValidationError:
        return True
    return False


def mappings() -> dict[str, Mapping[str, Any]]:
    """Return every kind of mapping that the schema describes."""
    definitions: dict[str, Mapping[str, Any]] = SCHEMA["$defs"]  # type: ignore[assignment]  # ours
    return {"File": SCHEMA, **definitions}


def forms() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield how each value is written that is neither keys nor one of a few words."""
    for name, mapping in mappings().items():
        for key, value in mapping["properties"].items():
            single = value.get("items") or value.get("additionalProperties") or value
            parts = [single, *single.get("anyOf", [])]
            if not any({"$ref", "const", "enum"} & part.keys() for part in parts):
                yield f"{name}.{key}", single


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", RIGHT)
def test_what_lints_clean_is_not_marked(name: str) -> None:
    assert marks(RIGHT[name]) == []


def test_no_mutated_policy_that_lint_accepts_is_marked() -> None:
    texts = (mutated(EXAMPLES[seed % len(EXAMPLES)], seed, changes=1) for seed in range(150))
    accepted = [text for text in texts if read(text, "a.yaml").policy is not None]
    assert len(accepted) > 25
    assert [text for text in accepted if marks(text)] == []


def test_wrong_keys_and_forms_are_marked() -> None:
    misshapen = {name for name, text in WRONG.items() if is_misshapen(text)}
    unmarked = {name for name in misshapen if not marks(WRONG[name])}
    assert len(misshapen) >= 60
    assert unmarked == NEEDS_ARITHMETIC


def test_wrong_files_that_lint_only_warns_of_are_not_marked() -> None:
    warned = {name: text for name, text in WRONG.items() if read(text, name).policy is not None}
    assert len(warned) >= 8
    assert [name for name, text in warned.items() if marks(text)] == []


def test_each_form_has_examples_that_fit_it() -> None:
    found = [(place, form) for place, form in forms() if form.get("type") != "boolean"]
    assert len(found) > 50
    for place, form in found:
        assert form.get("examples"), place
        for shown in form["examples"]:
            jsonschema.Draft202012Validator(form).validate(shown)


def test_everything_is_described() -> None:
    for name, mapping in mappings().items():
        assert mapping["description"], name
        for key, value in mapping["properties"].items():
            assert value["description"], (name, key)


def test_defaults_are_as_a_file_has_them() -> None:
    values = [value for mapping in mappings().values() for value in mapping["properties"].values()]
    with_default = [value for value in values if "default" in value]
    assert len(with_default) > 15
    for value in with_default:
        jsonschema.Draft202012Validator(value).validate(value["default"])


def test_broken_yaml_is_for_the_editor_to_say() -> None:
    for name in ("not_yaml", "tab_indent", "two_documents", "duplicate_keys"):
        with pytest.raises(YAMLError):
            as_an_editor_reads(WRONG[name])
