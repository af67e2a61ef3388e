"""What TensorBoard's own reader finds in the event files here: scores, the last step of the training, its seconds.

    .venv/bin/python src/report/gather/real_events/read_events.py

writes `expected.json` beside this file; `../import_tests.rs` compares.
"""

import json
import pathlib

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

HERE = pathlib.Path(__file__).parent
SCORES = {"games": "charts/episodic_return", "means": "rollout/ep_rew_mean"}


def read(file):
    events = EventAccumulator(str(file), size_guidance={"scalars": 0}).Reload()
    series = {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}
    kind = next((kind for kind, tag in SCORES.items() if tag in series), None)
    if kind is None:
        return None
    last = [scalars[-1] for scalars in series.values()]
    return {
        kind: [[scalar.step, scalar.value] for scalar in series[SCORES[kind]]],
        "steps": max(scalar.step for scalar in last),
        "wall_seconds": max(scalar.wall_time for scalar in last) - events.FirstEventTimestamp(),
    }


files = sorted(HERE.glob("**/events.out.tfevents.*"))
expected = {str(file.parent.relative_to(HERE)): read(file) for file in files}
(HERE / "expected.json").write_text(json.dumps(expected) + "\n")
