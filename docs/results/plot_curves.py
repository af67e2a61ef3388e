"""Draws learning curves from the episodes.csv of finished runs: mean raw score of the last 100 games against steps.

    pip install matplotlib
    python docs/results/plot_curves.py docs/results/a2c-mspacman-1m --title "MsPacman, A2C"

reads every `<torso>-seed<k>.csv` of the folder and writes `curves.svg` and `curves.png` beside them.
"""

import argparse
import csv
import pathlib
import re

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

COLOURS = {"conv": "#3b6fb6", "coordconv": "#d1602b"}
RANDOM_PLAY = {"MsPacman": 307.3, "Pong": -20.7}
WINDOW = 100


def moving_mean(path):
    """Steps and the mean score of the last WINDOW games at each game's end."""
    steps, means, window = [], [], []
    with open(path) as file:
        for row in csv.DictReader(file):
            window.append(float(row["score"]))
            if len(window) > WINDOW:
                window.pop(0)
            if len(window) == WINDOW:
                steps.append(int(row["step"]))
                means.append(sum(window) / WINDOW)
    return steps, means


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--title", default="")
    args = parser.parse_args()

    figure, axes = plt.subplots(figsize=(8, 4.5))
    for path in sorted(args.folder.glob("*.csv")):
        match = re.fullmatch(r"(conv|coordconv)-seed(\d+)", path.stem)
        if not match:
            continue
        torso, seed = match.groups()
        steps, means = moving_mean(path)
        style = ["-", "--", ":", "-."][(int(seed) - 1) % 4]
        axes.plot([step / 1e6 for step in steps], means, style, color=COLOURS[torso], label=f"{torso}, seed {seed}")
    game = args.title.split(",")[0]
    if game in RANDOM_PLAY:
        axes.axhline(RANDOM_PLAY[game], color="grey", linewidth=1)
        axes.annotate("random play", (0, RANDOM_PLAY[game]), fontsize=8, color="grey", va="bottom")
    axes.set_xlabel("agent steps (millions; 1 step = 4 frames)")
    axes.set_ylabel(f"raw score, mean of last {WINDOW} games")
    axes.set_title(args.title)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    for suffix in ("svg", "png"):
        figure.savefig(args.folder / f"curves.{suffix}", dpi=150)


if __name__ == "__main__":
    main()
