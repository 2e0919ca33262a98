"""The page of rules is what the models and the checks say today."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from gluon.models import catalog

ROOT = Path(__file__).parents[3]


def test_the_page_of_rules_is_up_to_date():
    spec = importlib.util.spec_from_file_location("rules_page", ROOT / "tools" / "rules_page.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    text = (ROOT / "docs" / "reference" / "rules.md").read_text(encoding="utf-8")
    assert text.rstrip() == module.rules_page("made by `make generate`").rstrip()
    for proton in catalog.load(module.PROTONS).values():
        for object_type in proton.objects.values():
            assert all(rule.source for rule in object_type.rules)
