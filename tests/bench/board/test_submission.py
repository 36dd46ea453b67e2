"""A submission from a user's folder to the pages of a board, with bare repositories for a host."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_results import edited, packed, raised, results, suite_toml

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

BIN = Path(sys.executable).parent


@pytest.fixture(autouse=True)
def somebody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user whom git knows, who has no other settings of git."""
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)


def shell(script: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a script as a step of a workflow does."""
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def steps(board: Path, workflow: str, job: str) -> list[str]:
    """The scripts of a workflow's job, in their order, but what installs."""
    content: Any = yaml.safe_load((board / ".github/workflows" / workflow).read_text())
    found = [step["run"] for step in content["jobs"][job]["steps"] if "run" in step]
    return [script for script in found if "pip install" not in script]


def ci(checkout: Path, tmp_path: Path) -> tuple[int, str, str]:
    """Runs the check of a pull request in its checkout; returns status, messages and the report."""
    temporary = tmp_path / f"runner-{checkout.name}"
    temporary.mkdir()
    places = {"RUNNER_TEMP": str(temporary), "GITHUB_STEP_SUMMARY": str(temporary / "summary.md")}
    check, show = steps(checkout, "check.yml", "check")
    done = shell(check, checkout, **places)
    assert shell(show, checkout, **places).returncode == 0
    report = (temporary / "report.md").read_text()
    assert (temporary / "summary.md").read_text() == report
    return done.returncode, done.stderr, report


def pull_request(upstream: Path, fork: Path, branch: str, to: Path) -> Path:
    """A checkout of the commit that merges a branch of a fork into the main branch, as the host makes it."""
    assert shell(f"git clone -q {upstream} {to}", upstream.parent).returncode == 0
    merged = shell(f"git fetch -q {fork} {branch} && git merge -q --no-ff -m Merge FETCH_HEAD", to)
    assert merged.returncode == 0, merged.stderr
    return to


@pytest.mark.slow
def test_the_commands_of_the_page_lead_from_nothing_to_a_row(
    repository: Path, tmp_path: Path, cli: Any
) -> None:
    """They are taken from the page as a reader would, and run in their order; then what a host would run."""
    page = (repository / "docs" / "board.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)
    assert len(blocks) == 6
    done = shell("\n".join(blocks), tmp_path)
    assert done.returncode == 0, done.stderr
    task = "digits-lenet_300_100"
    report = (tmp_path / "report.md").read_text()
    assert f"## {task}".replace("_", "\\_") in report
    assert len(re.findall(r"\| new \| .* \| weights verified \|", report)) == 2
    public = tmp_path / "public"
    assert f'<a href="{task}/site/index.html">' in (public / "index.html").read_text()
    assert "weights verified" in (public / task / "leaderboard.md").read_text()
    assert "weights verified" in (public / task / "site" / f"data-rows-task-{task}.js").read_text()
    rows = json.loads((public / task / "leaderboard.json").read_text())["tasks"][0]["rows"]
    assert {row["verified"] for row in rows} == {"weights verified"}
    # Continuous integration on the same merge, and on the main branch
    status, messages, again = ci(tmp_path / "merged", tmp_path)
    assert status == 0 and again == report, messages
    [build] = steps(tmp_path / "merged", "site.yml", "site")
    built = shell(build, tmp_path / "merged", RUNNER_TEMP=str(tmp_path / "pages"))
    assert built.returncode == 0 and (tmp_path / "pages" / "public" / "index.html").is_file(), built.stderr
    # The same submission once more
    twice = cli("submit", "mine.sparsebench.zip", "--to", "board.git", "--clone", "again", "--device", "cpu")
    assert twice.code == 2 and "already" in twice.err and not Path("again").exists()


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with one submission, as a repository."""
    from sparsebench.bench.board.intake import add_archive
    from sparsebench.bench.board.start import start_board

    folder = tmp_path_factory.mktemp("accepted")
    (folder / "small.toml").write_text(suite_toml())
    board = start_board(folder / "board", suites=[str(folder / "small.toml")])
    run = results(folder / "run")
    add_archive(board, packed(run, folder / "ada.zip"), "Ada")
    commit = "git init -q -b main && git add . && git -c user.name=A -c user.email=a@b commit -q -m Begin"
    assert shell(commit, board.root).returncode == 0
    return board.root


CHANGES = {
    "removes": ("rm -r tasks/*/ada-*", "removes tasks/"),
    "changes": ("sed -i s/Ada/Eve/ tasks/*/*/submission.json", "changes tasks/"),
    "a workflow": ("echo 'on: push' > .github/workflows/evil.yml", ""),
    "the seeds": ('sed -i \'s/"seeds": 3/"seeds": 1/\' board.json', "changes board.json"),
    "a stray file": ("mkdir -p tasks/x && echo hi > tasks/x/y", "is no submission"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_commit_may_add_submissions_alone(accepted: Path, tmp_path: Path, cli: Any, what: str) -> None:
    script, said = CHANGES[what]
    assert shell(f"git clone -q {accepted} mine && cd mine && {script} && git add -A && git commit -q -m x",
                 tmp_path).returncode == 0  # fmt: skip
    done = cli("board", "check", "mine", "--since", "HEAD^", "--report", "report.md", "--device", "cpu")
    assert (done.code, said in done.err) == ((1, True) if said else (0, True)), done.err
    assert "refuses" in Path("report.md").read_text() if said else "evil.yml" in done.out


def test_a_forged_archive_fails_the_check_of_its_pull_request(accepted: Path, tmp_path: Path) -> None:
    """It comes with a commit that also changes the workflow, under the eyes of nobody's program."""
    run = edited(results(tmp_path / "run", seeds=(5, 6)), raised)
    archive = packed(run, tmp_path / "forged.zip")
    fork = tmp_path / "fork"
    assert shell(f"git clone -q {accepted} {fork}", tmp_path).returncode == 0
    old = next((fork / "tasks").glob("*/*"))
    new = old.with_name("forged-00000000")
    shutil.copytree(old, new)
    shutil.copyfile(archive, new / "results.sparsebench.zip")
    digest = subprocess.run(
        ["sha256sum", archive], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    told = (new / "submission.json").read_text()
    before = told.split('"sha256": "')[1][:64]
    (new / "submission.json").write_text(told.replace(before, digest).replace("Ada", "Mallory"))
    assert shell("git switch -q -c forged && git add -A && git commit -q -m x", fork).returncode == 0
    checkout = pull_request(accepted, fork, "forged", tmp_path / "checkout")
    status, messages, report = ci(checkout, tmp_path)
    assert status == 1 and "its test_accuracy is" in messages and "its test_accuracy is" in report
    assert shell("echo >> README.md && git commit -q -a -m y", fork).returncode == 0
    checkout = pull_request(accepted, fork, "forged", tmp_path / "second")
    status, messages, report = ci(checkout, tmp_path)
    assert status == 1 and "changes README.md: a submission adds files under tasks/ alone" in messages


def test_git_without_a_name_is_told_what_to_do(
    accepted: Path, tmp_path: Path, cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    archive = packed(results(tmp_path / "run", seeds=(7, 8)), tmp_path / "mine.zip")
    done = cli("submit", archive, "--to", accepted, "--device", "cpu")
    assert done.code == 2 and "git config --global user.name" in done.err
    assert not Path("mine-board").exists()
    lost = cli("submit", archive, "--to", tmp_path / "nowhere.git", "--device", "cpu")
    assert lost.code == 2 and "git clone: fatal" in lost.err
