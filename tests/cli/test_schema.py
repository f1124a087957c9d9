"""`rollout schema`: what an editor reads, the same each time."""

import json
from pathlib import Path

from rollout.policyfile.schema import DIALECT, schema
from tests.command import run


def test_it_prints_the_schema_and_nothing_else(tmp_path: Path) -> None:
    result = run("schema", home=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == schema()
    assert run("schema", home=tmp_path).stdout == result.stdout


def test_an_editor_knows_its_dialect_and_every_key_of_the_top(tmp_path: Path) -> None:
    found = json.loads(run("schema", home=tmp_path).stdout)
    assert found["$schema"] == DIALECT
    assert list(found["properties"]) == found["required"] == ["apiVersion", "kind", "metadata", "spec"]
    assert found["additionalProperties"] is False


def test_its_help_says_how_an_editor_finds_it(tmp_path: Path) -> None:
    result = run("schema", "--help", home=tmp_path)
    assert "# yaml-language-server: $schema=policy.schema.json" in result.stdout
