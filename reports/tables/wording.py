"""The sentences of a leaderboard's notes: definitions, rules, marks. No torch."""

COUNTED = (
    "Compression is the number of prunable weights (those of linear, convolutional, recurrent and attention "
    "layers) divided by the nonzero ones among them, counted on the plain model after training; for a point "
    "it is the geometric mean over seeds."
)
THRESHOLDS = (
    "A method that leaves no exact zeros has its small weights set to zero below a validated threshold: the "
    "largest that loses at most 0.1 point, or one example, of validation accuracy. The columns marked "
    "'exact' count only weights below float32 eps (1.19e-7) as zeros; a method with zeros of its own has "
    "the same number in both."
)
AREA = (
    "Hypervolume is the area under the front of means above chance, over log10 compression from 1 to "
    "{limit:g}, divided by the same area at dense accuracy: 1 is dense accuracy kept throughout. Its ± is "
    "the sample sd of the areas under each {unit}'s own front."
)
GUESSING = (
    "Chance is the accuracy of guessing: the share of the largest class in the data that are measured on, "
    "for balanced accuracy 1 / classes. A network has learned something when (accuracy − chance) / "
    "(1 − chance) is above 0.05; one that has not is on no front and adds to no score, hypervolume or rank, "
    "and † marks its accuracy."
)
MISHAPS = (
    "A run that diverged counts as chance accuracy{where}. Collapsed: no path is left from the "
    "input to a logit (in older records: a layer without a nonzero weight), or a network that learned "
    "nothing. Failed runs gave no result and are in no mean; neither are diverged ones in the training cost. "
    "Speed-up and training cost are arithmetic means."
)
WHAT = (
    COUNTED, THRESHOLDS, AREA,
    "acc@c is the front's accuracy at compression c, linear in log compression between confirmed points; "
    "'within n points' is the largest compression measured with at most n points of accuracy below dense. "
    "Where points lie far apart the first can be high between them and the second is the point before.",
    GUESSING, MISHAPS.format(where=" at compression 1"),
)  # fmt: skip
MEASURED = (
    "acc@c is measured at compression c, never interpolated: the finished model as it is where it is that "
    "sparse, else with only its largest weights by magnitude kept (‡: most runs were cut so, without "
    "retraining). The training was chosen for that compression on validation data, first of all of a search, "
    "then of those that were trained again with fresh seeds. * marks the best of a column and whatever is "
    "not significantly different from it.",
    "The score is the mean over the common compressions of (accuracy − chance) / (dense − chance), all with "
    "the same weight; what learned nothing adds 0. 'to c' is the same without the largest compression. The "
    "dense accuracy is that of the dense training chosen at compression 1.",
    COUNTED, AREA,
    "'own zeros' is the largest compression that the trainings behind the row reached by themselves, with "
    "zeros below the validated threshold, at most 5 points below dense; 'exact zeros' the same with weights "
    "below float32 eps alone.",
    THRESHOLDS, GUESSING,
    "'knobs' is the number of knobs that the search varied; 'trainings' those of the searches and those that "
    "confirm. A training that is best at several compressions is confirmed once, for all of them.",
    MISHAPS.format(where=" at every compression"),
)  # fmt: skip
TIES = (
    "≈ before a rank: not distinguishable from the entry above (the 95% t-interval of the difference of "
    "{merits} holds zero, or says the opposite; paired where both have the "
    "same {units}, else Welch's). {covers} A ? says that there "
    "are too few {units} to judge, or {units} that differ by the same to the last digit."
)
RETRAINING = "The interval covers retraining, not the search itself."
REPEATED = (
    "The interval of a score covers the search as well: of each entry the standard deviation over {searches} "
    "searches of this budget was measured beforehand."
)
SEARCHING = "The interval covers searching and retraining, on one split of the data."
INTERVALS = "Intervals are 95% t-intervals over {units} (a bootstrap of three would cover less than it says)."
WITHIN = (
    " Of 'within n points' the interval goes from the largest compression at which a point surely keeps the "
    "tolerance to the largest at which one possibly does."
)
TOLERANCE = (
    "The tolerances and the normalised hypervolume need a dense baseline: add an entry with method 'dense'."
)
UNTRAINED = "The dense baseline has learned nothing: no tolerances, no normalised hypervolume."
NOTHING_LEARNED = " †"
BEST = "*"
CUT = "‡"
MARKS = (
    "acc@c is measured at compression c. *: the best there, or not distinguishable from it. ‡: cut to c by "
    "magnitude, without retraining. score: mean of (accuracy − chance) / (dense − chance) over the columns."
)
SPEEDS = (
    "'measured' is the dense network's seconds over the sparse one's for a pass over the largest batch that "
    "was measured, each in its fastest way on one machine, at the compression @c that is fastest among those "
    "at most 5 points below dense."
)
NO_PATTERN_KERNEL = (
    "N:M entries: no kernel for their pattern was used, so no time here shows what it saves. GPUs have "
    "kernels for 2:4: `sparsebench latency DIR --device cuda:0 --precision float16`."
)
CHANNELS = (
    "Whole channels are removed here: compression c leaves at most 1/c of the dense network's "
    "multiply-accumulates, counted when what is removed is gone. ‡: cut to c by the channels' norms over the "
    "root of their size, without retraining."
)
LEAST_PRUNABLE = 0.9
PARTLY = (
    "Compression counts {share} % of the model's parameters, the prunable ones: the model as a whole is "
    "compressed less (total_compression in the records)."
)
CHANCE = "No record says how many classes this task has: chance is taken as 0."

STATE = "evidence"  # the heading
STATES = (
    "evidence: records only; weights verified (models were counted and measured again); retrained by others "
    "(trainings of another submitter agree with it within the interval of the difference)"
)
