"""Made-up run folders to try reports on: scores of a simple learning curve with noise, in the files of real runs.

    python make_runs.py OUT [--games N] [--seeds N] [--steps N] [--episodes N] [--plain]

Two torsos on N games with N seeds each. Without --plain, also what a report must cope with: another protocol, a game without a
human score, a single seed, runs that are cut off, empty or running no more.
"""

import argparse
import json
import math
import pathlib
import random

GAMES = ["Pong", "Breakout", "MsPacman", "Qbert", "Seaquest", "SpaceInvaders", "BeamRider", "Enduro", "Alien", "Asterix"]
HEADER = "episode,step,env,score,length_steps,length_frames,wall_seconds\n"
PLAN = """agent = "{agent}"
game = "{game}"
protocol = "{protocol}"
seed = {seed}
total_steps = {steps}

[env]
n_envs = 16

[learner]
device = "cpu"
threads = {threads}

[torso]
kind = "{torso}"
coord_layers = "first"

[a2c]
learning_rate = 0.0007
learning_rate_schedule = "constant"
"""


def rows(args, level, draw):
    """The table of a run that comes near `level` in the course of its steps."""
    lines = [HEADER]
    for episode in range(1, args.episodes + 1):
        step = args.steps * episode // args.episodes
        learned = level / (1 + math.exp(6 - 12 * step / args.steps))
        score = max(0, round(10 * learned * (1 + 0.4 * draw.gauss(0, 1)))) * 10
        lines.append(f"{episode},{step},{episode % 16},{score},500,2000,{step / 1500:.3f}\n")
    return lines


def run(args, game, torso, seed, **changes):
    facts = {"agent": "a2c", "protocol": "baselines", "threads": 2, **changes}
    folder = args.out / game.replace(":", "-") / f"{facts['agent']}-{torso}" / f"{facts['protocol']}-seed{seed}"
    folder.mkdir(parents=True)
    plan = PLAN.format(game=game, torso=torso, seed=seed, steps=args.steps, **facts)
    (folder / "plan.toml").write_text(plan)
    (folder / "versions.json").write_text(json.dumps({"rlrun": "0.1.0", "libtorch": "2.11.0"}))
    draw = random.Random(f"{game} {torso} {seed} {facts['protocol']}")
    gain = 1.0 if torso == "conv" else random.Random(game).choice([0.8, 1.0, 1.3])
    (folder / "episodes.csv").write_text("".join(rows(args, 20 * gain * (1 + len(game) % 3), draw)))
    (folder / "summary.json").write_text(json.dumps({"steps": args.steps, "wall_seconds": args.steps / 1500}))
    return folder


def trouble(args):
    """What a report must cope with."""
    for seed in range(1, args.seeds + 1):
        run(args, "MsPacman", "conv", seed, protocol="machado")
        run(args, "CartPole", "mlp", seed, protocol="gym")
    run(args, "Zaxxon", "conv", 1)
    stopped = run(args, "Zaxxon", "conv", 2)
    (stopped / "summary.json").unlink()
    table = (stopped / "episodes.csv").read_text()
    (stopped / "episodes.csv").write_text(table[: len(table) // 2])
    empty = run(args, "Zaxxon", "conv", 3)
    (empty / "episodes.csv").write_text(HEADER)
    (empty / "summary.json").unlink()
    half = run(args, "Zaxxon", "coordconv", 1)
    (half / "plan.toml").write_text('agent = "a2')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=pathlib.Path)
    for name, default in (("games", 9), ("seeds", 3), ("steps", 1_000_000), ("episodes", 1_500)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--plain", action="store_true")
    args = parser.parse_args()
    for game in GAMES[: args.games]:
        for torso in ("conv", "coordconv"):
            for seed in range(1, args.seeds + 1):
                run(args, game, torso, seed)
    if not args.plain:
        trouble(args)


if __name__ == "__main__":
    main()
