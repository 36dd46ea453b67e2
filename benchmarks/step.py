"""A training step of each method against the dense one: LeNet-300-100 on MNIST, batch 256, one thread."""

from loops import by_hand, harness, harness_steps, mnist
from timing import compare, one_thread, write

STEPS = 4
REPETITIONS = 200

one_thread()
data = mnist()
contestants = {
    "dense": harness(data),
    "dwf, D=2": harness(data, "dwf", depth=2),
    "dwf, D=3": harness(data, "dwf", depth=3),
    "dwf, D=4": harness(data, "dwf", depth=4),
    "spred": harness(data, "spred"),
    "random, masked": harness(data, "random", sparsity=0.9),
    "snip, masked": harness(data, "snip", sparsity=0.9),
}
blocks = {"by hand, dense": by_hand(data, STEPS)}
blocks |= {name: harness_steps(training, STEPS) for name, training in contestants.items()}
table = compare(blocks, "dense", REPETITIONS, STEPS)
write("step", "milliseconds of a training step, and its ratio to the harness's dense step", table)
