"""Where the time of one epoch goes: torch's profiler over the harness's own loop, dense and factorized."""

from loops import BATCH, harness, mnist
from timing import RESULTS, machine, one_thread
from torch.profiler import ProfilerActivity, profile

ROWS = 12


def profiled(method: str, **knobs: int) -> str:
    """Operations of one epoch by their own time; what is left of the total is Python and the profiler."""
    training = harness(data, method, **knobs)
    training.metrics.every = training.clock.steps
    training.run(stop_at=20)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        training.run(stop_at=20 + len(data.train) // BATCH)
    rows = sorted(profiler.key_averages(), key=lambda row: -row.self_cpu_time_total)
    total = sum(row.self_cpu_time_total for row in rows)
    lines = [f"{method} {knobs or ''}: {total / 1000:.0f} ms in torch's operations"]
    for row in rows[:ROWS]:
        share = row.self_cpu_time_total / total
        each = row.self_cpu_time_total / row.count
        lines.append(f"{100 * share:6.1f} %  {each:9.1f} µs × {row.count:5d}  {row.key}")
    return "\n".join(lines)


one_thread()
data = mnist()
text = "\n\n".join([str(machine()), profiled("dense"), profiled("dwf", depth=4), profiled("random")])
(RESULTS / "profile.txt").write_text(text + "\n")
print(text)
