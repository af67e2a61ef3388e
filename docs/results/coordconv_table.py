"""The table of docs/results/coordconv.md from the table of a sweep.

    .venv/bin/python docs/results/coordconv_table.py docs/results/coordconv/results.csv
"""

import csv
import sys
from collections import defaultdict


def metric(task, value):
    value = float(value)
    return {"classification": f"{100 * value:.1f}%", "regression": f"{value:.2f} px"}.get(task, f"{value:.3f} IOU")


def spread(values):
    values = sorted(values)
    return values[0] if len(values) == 1 else f"{values[len(values) // 2]} ({values[0]} - {values[-1]})"


groups = defaultdict(list)
with open(sys.argv[1], newline="") as file:
    for row in csv.DictReader(file):
        keys = ("task", "split", "net", "input", "minibatch", "learning_rate", "l2", "width", "epochs")
        groups[tuple(row[key] for key in keys)].append(row)

print("| task | split | network | settings | seeds | train | test | best test | updates to the level | seconds to the level |")
print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
for (task, split, net, where, batch, lr, l2, width, epochs), rows in sorted(groups.items()):
    settings = f"{where + ', ' if where else ''}batch {batch}, lr {lr}, l2 {l2}, {'width ' + width + ', ' if width else ''}{epochs} epochs"
    values = [", ".join(metric(task, row[key]) for row in rows) for key in ("train_metric", "test_metric", "best_test_metric")]
    reached = [row for row in rows if row["level_updates"]]
    never = f", {len(rows) - len(reached)} never" if len(reached) < len(rows) else ""
    updates = spread([int(row["level_updates"]) for row in reached]) if reached else "never"
    seconds = spread([float(row["level_seconds"]) for row in reached]) if reached else "never"
    suffix = never if reached else ""
    seeds = ", ".join(row["seed"] for row in rows)
    print(f"| {task} | {split} | {net} | {settings} | {seeds} | {' | '.join(values)} | {updates}{suffix} | {seconds} |")
