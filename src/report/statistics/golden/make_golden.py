"""Golden values for the statistics of a report, computed by rliable.

    python -m venv VENV && VENV/bin/pip install rliable==1.2.0 'pandas<3'
    VENV/bin/python src/report/statistics/golden/make_golden.py

writes rliable.json beside this file. `../golden.rs` compares. Scores are [runs][games] as rliable has them. Its intervals
are random: 50,000 repeats for the aggregates, 10,000 for improvement (scipy is slow) and 20,000 for profiles.
"""

import json
import pathlib

import numpy as np
from rliable import library, metrics

TAUS = [0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0]
# (runs of a, runs of b, games, decimals to which scores are rounded: few make ties)
CASES = [(5, 5, 8, 6), (3, 3, 2, 6), (10, 4, 16, 6), (4, 6, 5, 1), (2, 2, 1, 6)]


def aggregates(scores):
    return np.array([
        metrics.aggregate_iqm(scores),
        metrics.aggregate_median(scores),
        metrics.aggregate_mean(scores),
        metrics.aggregate_optimality_gap(scores),
    ])


def improvement(a, b):
    return np.array([metrics.probability_of_improvement(a, b)])


def case(n_a, n_b, n_games, decimals, rng):
    level = rng.lognormal(-0.5, 1.0, n_games)
    draw = lambda n, gain: np.round(level * gain + 0.3 * level * rng.standard_normal((n, n_games)), decimals)
    a, b = draw(n_a, 1.0), draw(n_b, 1.15)
    points, ends = library.get_interval_estimates({"a": a}, aggregates, reps=50_000)
    # rliable's order: the probability that the first is better than the second.
    better, better_ends = library.get_interval_estimates({"ba": (b, a)}, improvement, reps=10_000)
    above, above_ends = library.create_performance_profile({"a": a}, np.array(TAUS), reps=20_000)
    return {
        "a": a.tolist(),
        "b": b.tolist(),
        "aggregates": points["a"].tolist(),
        "aggregates_ends": ends["a"].tolist(),
        "improvement": better["ba"].tolist()[0],
        "improvement_ends": better_ends["ba"][:, 0].tolist(),
        "above": above["a"].tolist(),
        "above_ends": above_ends["a"].tolist(),
    }


np.random.seed(1)  # rliable draws its resamples from NumPy's global generator
generator = np.random.default_rng(1)
golden = {"taus": TAUS, "cases": [case(*shape, generator) for shape in CASES]}
target = pathlib.Path(__file__).with_name("rliable.json")
target.write_text(json.dumps(golden, indent=1) + "\n")
