"""An epoch of `sparsebench train` against loops by hand: LeNet-300-100 on MNIST, batch 256, one thread."""

import statistics
import sys

from loops import BATCH, by_dataloader, by_hand, harness, mnist
from timing import compare, interleaved, one_thread, write

EPOCHS = 10
REPETITIONS = int(sys.argv[1]) if len(sys.argv) > 1 else 5

one_thread()
data = mnist()
steps = len(data.train) // BATCH


def whole_training() -> None:
    """All of `sparsebench train` from the fresh model to the last step, the curve's validations included."""
    harness(data, epochs=EPOCHS).run()


blocks = {"by hand, preloaded": by_hand(data, EPOCHS * steps), "sparsebench train": whole_training}
table = compare(blocks, "by hand, preloaded", REPETITIONS, EPOCHS)
loader = interleaved({"loader": by_dataloader()}, 3)["loader"]
row = table["torchvision + DataLoader(2)"] = {}
for column, clock in enumerate(("wall", "cpu")):
    milliseconds = 1000 * statistics.median(times[column] for times in loader)
    row[f"{clock}_ms"] = round(milliseconds, 1)
    row[f"{clock}_ratio"] = round(milliseconds / table["by hand, preloaded"][f"{clock}_ms"], 3)
    table["sparsebench train"][f"{clock}_of_dataloader"] = round(
        table["sparsebench train"][f"{clock}_ms"] / milliseconds, 4
    )
write("epoch", f"milliseconds of an epoch, in trainings of {EPOCHS} epochs", table, curve_rows=16)
