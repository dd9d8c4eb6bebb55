"""SALib's indices and effects for samples and outputs that somebody else has made: a list as JSON on stdin, another on stdout."""

import json
import sys

import numpy as np
from SALib.analyze import morris, sobol


def answer(asked):
    count = asked["inputs"]
    problem = {"num_vars": count, "names": [f"x{number}" for number in range(count)], "bounds": [[0, 1]] * count}
    outputs = np.array(asked["outputs"], dtype=float)
    if asked["method"] == "sobol":
        found = sobol.analyze(problem, outputs, calc_second_order=False, seed=1)
        names = ["S1", "ST"]
    else:
        points = np.array(asked["points"], dtype=float)
        found = morris.analyze(problem, points, outputs, num_levels=4, seed=1)
        names = ["mu", "mu_star", "sigma"]
    return {name: [float(one) for one in found[name]] for name in names}


json.dump([answer(asked) for asked in json.load(sys.stdin)], sys.stdout)
