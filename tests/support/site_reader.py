"""What the tests of the site in a browser share: records to show, and how a reader looks and chooses."""

import json
from typing import Any

from chromium import Chromium
from sparsebench.records.record import Record
from synthetic_records import NINE, campaign, confirm

COMMAND = "sparsebench train --dataset toy --model net --method {entry} --seed {seed}"
HOSTILE = (
    "</script><script>document.title='run'</script>", "<img src=x onerror=\"document.title='run'\">",
    "<b>bold</b>", "\"quoted\"'", "x" * 300,
)  # fmt: skip


def records() -> list[Record]:
    some = {name: NINE[name] for name in ("dense", "random", "dwf-2", "dwf-3", "l1")}
    made = campaign(some, {"toy": (0.1, 0.95), "toy2": (0.01, 0.6)}, trials=5, seeds=3)
    return [
        r.model_copy(
            update={
                "command": COMMAND.format(entry=r.entry, seed=r.seed),
                "trial": int(r.config[1:]) if r.phase == "search" else None,
                "knobs": {"depth": 3},
            }
        )
        for r in made
    ]


def hostile() -> list[Record]:
    made = [confirm("dense", "d", s, 0.9, 1.0, dataset=HOSTILE[0]) for s in (1, 2)]
    for number, name in enumerate(HOSTILE):
        more: dict[str, Any] = {"knobs": {name: name, "huge": 1e308}, "command": name, "reason": name}
        more |= {"dataset": HOSTILE[0], "method": name, "versions": {name: name}, "recipe": {name: name}}
        ratio = 1e300 if number == 3 else 5.0 + number
        made += [confirm(name, f"a{number}", s, 0.8, ratio, **more) for s in (1, 2)]
    return made


# What a record of a large campaign says of itself, as long as it is there.
FULL: dict[str, Any] = {
    "knobs": {"depth": 3, "lam": 3.2e-5, "init": "d1"},
    "command": "sparsebench train --dataset cifar10 --model resnet18_cifar --method dwf --set epochs=60 "
    "--set batch_size=128 --set lr=0.1234 --set weight_decay=0.0001234 --set warmup=0.05 --set depth=3 "
    "--set lam=3.2e-05 --seed 1000",
}
VISIBLE = "[...document.querySelectorAll('.board tbody tr')].filter(row => !row.hidden)"
POINTS = "document.getElementById('front').data.flatMap(one => one.x)"
CHART = "document.getElementById('front')"


def column(page: Chromium, title: str) -> list[str]:
    """The cells of a column of the leaderboard that are seen, from the top."""
    found: list[str] = page.js(
        "(() => { const heads = [...document.querySelectorAll('.board thead th')];"
        f"const i = heads.findIndex(head => head.textContent.trim() === {title!r});"
        f"return {VISIBLE}.map(row => row.cells[i].firstChild.textContent.trim())"
        "})()"
    )
    return found


def entries(page: Chromium) -> list[str]:
    found: list[str] = page.js(f"{VISIBLE}.map(row => row.querySelector('th a').textContent)")
    return found


def heading(title: str) -> str:
    return f"[...document.querySelectorAll('.board th button')].find(b => b.textContent === {title!r})"


def choose(page: Chromium, group: str, *numbers: int) -> None:
    """Check these boxes of a group and no other."""
    page.js(
        f"document.querySelectorAll('#{group} input').forEach((box, i) => {{"
        f"if (box.checked !== {json.dumps(numbers)}.includes(i)) box.click(); }})"
    )


def spent(page: Chromium) -> float:
    """Seconds of the page's main thread since it was opened: its own cost, whatever else the machine does."""
    metrics = {m["name"]: m["value"] for m in page.call("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"])
