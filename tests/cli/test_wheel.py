"""
The wheel: it builds, installs into an empty environment from wheels only, and runs.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNREACHABLE = ("Could not find a version", "Failed to establish a new connection", "No matching distribution")


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    # Nothing of this environment may help: no path to the sources, no tools on PATH but the system's.
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "TOCSIN", "VIRTUAL_ENV"))}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**keep, "PATH": "/usr/bin:/bin", "COLUMNS": "80"},
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    Return the folder of programs of an environment that holds the wheel and what it asks for.
    """
    folder = tmp_path_factory.mktemp("wheel")
    built = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "empty", with_pip=True, symlinks=True)
    programs = folder / "empty" / "bin"
    pip = run(
        programs / "python", "-m", "pip", "install", "--quiet", "--only-binary=:all:", wheel, cwd=folder
    )  # fmt: skip
    if pip.returncode != 0 and any(text in pip.stderr for text in UNREACHABLE):
        pytest.skip("the package index cannot be reached, so the wheel's requirements cannot be installed")
    assert pip.returncode == 0, pip.stderr
    return programs


def test_help_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    shown = run(installed / "tocsin", "--help", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Usage: tocsin COMMAND" in shown.stdout


def test_the_installed_base_is_light(installed: Path) -> None:
    listed = run(installed / "python", "-m", "pip", "list", "--format=freeze", cwd=installed)
    names = {line.split("==")[0].lower() for line in listed.stdout.split()}
    assert "tocsin" in names
    assert names & {"numpy", "pandas", "pyarrow", "numba", "scipy", "polars"} == set()


def test_demo_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    from tocsin.cli.app import VERBS

    if "demo" not in {verb.__name__ for verb in VERBS}:
        pytest.skip("this version has no demo yet")
    shown = run(installed / "tocsin", "demo", "--exit", "--accounts", "200", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert (tmp_path / "october.journal").is_dir()
