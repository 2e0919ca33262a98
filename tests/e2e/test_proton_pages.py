"""The examples on the pages of the protons are what a server answers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from gluon.models import catalog
from gluon.testing.stack import LocalStack

PAGES = Path(__file__).parents[2] / "docs/reference/protons"

EXAMPLE = re.compile(
    r"^`POST (\S+)`\n\n```json\n(.*?)^```\n\nanswers 201:\n\n```json\n(.*?)^```", re.DOTALL | re.MULTILINE
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory):
    with LocalStack(tmp_path_factory.mktemp("stack"), proton={"api": {"service_list": "*"}}) as running:
        yield running


def test_each_shipped_proton_has_its_page():
    assert {page.stem for page in PAGES.glob("*.md")} == set(catalog.available())


@pytest.mark.parametrize("name", catalog.available())
def test_the_examples(stack, name):
    examples = EXAMPLE.findall((PAGES / f"{name}.md").read_text())
    assert len(examples) == len(catalog.load([name])[name].objects)
    with httpx.Client(base_url=stack.url, timeout=30) as client:
        for path, body, shown in examples:
            answer = client.post(path, json=json.loads(body))
            assert answer.status_code == 201, answer.text
            expected, got = json.loads(shown), answer.json()
            assert list(got) == list(expected)
            moments = ("created_at", "updated_at")
            assert {**got, **dict.fromkeys(moments)} == {**expected, **dict.fromkeys(moments)}
