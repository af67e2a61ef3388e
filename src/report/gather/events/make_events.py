"""Event files as CleanRL and Stable-Baselines3 write them, by the writer of PyTorch that both use.

    .venv/bin/python src/report/gather/events/make_events.py

writes one run of each beside this file; `../import_tests.rs` reads them. CleanRL logs the score of each finished game, SB3 the
mean of the last 100 games; the other scalars are there to be passed over.
"""

import pathlib
import shutil

from torch.utils.tensorboard import SummaryWriter

HERE = pathlib.Path(__file__).parent
CLEANRL = "BreakoutNoFrameskip-v4__dqn_atari__3__1700000000"
SB3 = "MsPacmanNoFrameskip-v4_2"
BEGAN = 1_700_000_000


def write(name, scalars):
    """scalars: (tag, value, step); each step takes a hundredth of a second."""
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    with SummaryWriter(folder) as writer:
        for tag, value, step in scalars:
            writer.add_scalar(tag, value, step, walltime=BEGAN + step / 100)
    # The writer puts the machine and the process into the name.
    (file,) = folder.iterdir()
    file.rename(folder / f"events.out.tfevents.{BEGAN}.machine.1.0")


cleanrl = [("charts/SPS", 100.0, 1)]
for game in range(1, 41):
    step = 50 * game
    cleanrl += [
        ("charts/episodic_return", float(game % 7), step),
        ("charts/episodic_length", 50.0, step),
        ("losses/td_loss", 0.5, step),
    ]
write(CLEANRL, cleanrl)

sb3 = []
for update in range(1, 21):
    sb3 += [("rollout/ep_len_mean", 400.0, 80 * update), ("rollout/ep_rew_mean", 200.0 + 5 * update, 80 * update)]
write(SB3, sb3)
