"""What the trainings of a search buy: their number, the sampler, what one tells of other compressions.

    python benchmarks/search_cost.py runs/search_cost            # hours on two cores; goes on where it ended
    python benchmarks/search_cost.py runs/search_cost --draw     # the table and the figure of what is there

Every variant is a campaign of its own with four independent searches of the same entries, which differ in
their seeds alone. "own" tells a search at a compression only of the trials that were assigned it.
"""

import argparse
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import optuna
from sparsebench.bench.campaign.driver import run
from sparsebench.bench.search.optuna_search import Search
from sparsebench.records.stored import StoredRecords
from stability import board_of, cells, measures
from timing import write

ENTRIES = ["dense", "magnitude", "gmp", "l1", "dwf-3"]
SAMPLERS = {"tpe": True, "gp": True, "random": True, "tpe, own": False}  # by name: all trainings are told
TRIALS = (8, 16, 32)
SEARCHES = 4


def patch(sampler: str) -> None:
    """Gives the search another sampler, or hides from it what trials for other compressions show."""
    tpe, whole = Search._sampler, Search._study

    def chosen(self: Search, number: int) -> optuna.samplers.BaseSampler:
        seed = int(tpe(self, number)._rng.rng.randint(2**31))  # type: ignore[attr-defined]
        if sampler == "gp":
            return optuna.samplers.GPSampler(seed=seed, n_startup_trials=self.start)
        return optuna.samplers.RandomSampler(seed=seed)

    def told(self: Search, compression: float) -> optuna.Study:
        if sampler == "gp":  # errors on a log scale: a diverged training would hide all other differences
            study = optuna.create_study(direction="maximize")
            outcomes = [(p, o and [-math.log(1.002 - o[compression])]) for p, o in self._finished]
            study.add_trials([self._frozen(params, values) for params, values in outcomes])
            return study
        mine = [
            trial for n, trial in enumerate(whole(self, compression).trials) if self.aim(n) == compression
        ]
        study = optuna.create_study(direction="maximize")
        study.add_trials(mine)
        return study

    if sampler in ("gp", "random"):
        Search._sampler = chosen  # type: ignore[method-assign]
    if sampler == "gp" or not SAMPLERS[sampler]:
        Search._study = told  # type: ignore[method-assign]


def folder_of(root: Path, sampler: str, trials: int) -> Path:
    """The folder of a variant's campaign."""
    return root / f"{sampler.replace(', ', '-')}-{trials}"


def measured(folder: Path) -> dict[str, Any]:
    """The numbers of a variant; its accuracies are those of each search, in percent, over all cells."""
    records = StoredRecords(folder).light
    task = records[0].task
    found = measures(records, task)
    boards = [board_of(records, task, search) for search in range(SEARCHES)]
    by_search = zip(*cells(boards).values(), strict=True)
    accuracies = [100 * fmean(a or 0.0 for a in values) for values in by_search]
    wanted = (
        "trainings_of_an_entry", "sd_of_scores", "apart_below_the_largest", "apart_at_the_largest",
        "reversed",
    )  # fmt: skip
    return {"accuracy": accuracies, **{name: found[name] for name in wanted}}


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """The figure: each number against the trainings of an entry, a line a sampler."""
    import pandas as pd
    import seaborn as sns

    titles = {
        "accuracy": "test accuracy (%), mean ± sd over searches",
        "sd_of_scores": "sd of a score over searches",
        "apart_below_the_largest": "share of pairs > 2 points apart, up to 64",
        "apart_at_the_largest": "share of pairs > 2 points apart, at 256",
    }
    table = pd.DataFrame(rows).explode("accuracy")
    table = table.melt(["sampler", "trials", "trainings_of_an_entry"], list(titles), "what", "value")
    table["what"] = table["what"].map(titles)
    table["value"] = table["value"].astype(float)
    sns.set_theme(style="whitegrid", context="paper")
    grid = sns.relplot(
        table, x="trainings_of_an_entry", y="value", hue="sampler", style="sampler", col="what", col_wrap=2,
        kind="line", markers=True, dashes=False, height=2.6, aspect=1.4, errorbar="sd", err_style="bars",
        facet_kws={"sharey": False},
    )  # fmt: skip
    grid.set_titles("{col_name}").set_axis_labels("trainings of an entry, confirmations included", "")
    for axes in grid.axes.flat[1:]:
        axes.set_ylim(bottom=-0.05 * axes.get_ylim()[1])  # lines at 0 stay visible
    grid.savefig(path, dpi=150)


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--one", nargs=2, metavar=("SAMPLER", "TRIALS"), help="this variant alone")
    parser.add_argument("--draw", action="store_true", help="run nothing")
    parser.add_argument("--figure", type=Path, default=Path("docs/search-cost.png"))
    args = parser.parse_args()
    if args.one:
        sampler, trials = args.one[0], int(args.one[1])
        patch(sampler)
        out = folder_of(args.folder, sampler, trials)
        run("quickstart", methods=ENTRIES, trials=trials, searches=SEARCHES, out=out)
        return
    variants = [(sampler, trials) for trials, sampler in product(TRIALS, SAMPLERS)]
    if not args.draw:
        for sampler, trials in variants:  # a process each, since the search is patched in it
            one = [sys.executable, __file__, str(args.folder), "--one", sampler, str(trials)]
            subprocess.run(one, check=True)
    rows = [
        {"sampler": sampler, "trials": trials, **measured(folder_of(args.folder, sampler, trials))}
        for sampler, trials in variants
        if (folder_of(args.folder, sampler, trials) / "leaderboard.json").exists()
    ]
    draw(rows, args.figure)
    table = {}
    for row in rows:
        searches = row.pop("accuracy")
        key = f"{row.pop('sampler')}, {row.pop('trials')} trials"
        table[key] = {"accuracy": fmean(searches), "accuracy_sd": stdev(searches), **row}
    write("search_cost", "What the trainings of a search buy; digits, LeNet-300-100, four searches", table)


if __name__ == "__main__":
    main()
