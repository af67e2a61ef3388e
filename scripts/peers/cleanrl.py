"""Runs a script of CleanRL for a while and prints one line of JSON: agent steps a second (a step is four frames), and how many cores it and
everything else on the machine kept busy meanwhile.

a2c: ppo_atari_envpool.py with the work of A2C: rollouts of 5 steps, one epoch of one batch, neither advantages normalised nor values
     clipped, lambda 1. It keeps Adam, where A2C has RMSprop.
dqn: dqn_atari.py as in a long run: epsilon at its end and a full replay memory of 100,000: the first 2,000 transitions, over and over.

The scripts are those of the package, unchanged. Only the word `print` in them is ours: it counts their lines "SPS: ...", of which there
is one after each update of PPO and after every 100 steps of DQN.
"""

import os
import runpy
import sys
from importlib.metadata import distribution

import torch
from measuring import Window, n_cores, peer_options, report

ROLLOUT_STEPS = 5
REPLAY = 100_000
FIRST = 2_000
LINE_EVERY = 100

PPO_AS_A2C = ["--num-steps", str(ROLLOUT_STEPS), "--num-minibatches", "1", "--update-epochs", "1", "--norm-adv", "False",
              "--clip-vloss", "False", "--gae-lambda", "1", "--learning-rate", "7e-4"]
DQN = ["--buffer-size", str(REPLAY), "--learning-starts", str(FIRST), "--start-e", "0.01", "--end-e", "0.01"]


class WindowIsOver(Exception):
    """Ends the script."""


def counting(window, steps_per_line):
    """A `print` that counts."""
    n_lines = 0

    def heard(*words, **_):
        nonlocal n_lines
        if words[:1] == ("SPS:",):
            n_lines += 1
            if window.is_over(n_lines * steps_per_line):
                raise WindowIsOver

    return heard


def fill_at_first_sample():
    """Lets the replay memory, which is full of zeros, become full of transitions before the first update."""
    from stable_baselines3.common.buffers import ReplayBuffer

    sample = ReplayBuffer.sample

    def sample_full(memory, *words, **more):
        if not memory.full:
            n = memory.pos
            # With its optimize_memory_usage the next observations have no array of their own.
            rows = [memory.observations, getattr(memory, "next_observations", None), memory.actions, memory.rewards, memory.dones]
            for array in (array for array in rows if array is not None):
                for start in range(n, REPLAY, n):
                    array[start:start + n] = array[:min(n, REPLAY - start)]
            memory.full = True
        return sample(memory, *words, **more)

    ReplayBuffer.sample = sample_full


def request(options):
    """The script, its options, the steps of each of its lines, and what it is called with the packages that count."""
    if options.agent == "a2c":
        words = [*PPO_AS_A2C, "--num-envs", str(options.envs), "--env-id", f"{options.game}-v5"]
        program = "CleanRL {cleanrl}, EnvPool {envpool}"
        return "ppo_atari_envpool.py", words, ROLLOUT_STEPS * options.envs, program, ["envpool", "gym"]
    import ale_py  # noqa: F401  registers the games

    fill_at_first_sample()
    words = [*DQN, "--num-envs", str(options.envs), "--env-id", f"{options.game}NoFrameskip-v4"]
    return "dqn_atari.py", words, LINE_EVERY, "CleanRL {cleanrl}", ["stable-baselines3", "ale-py", "gymnasium"]


def main():
    options = peer_options(__doc__)
    torch.set_num_threads(n_cores())
    script, words, steps_per_line, program, packages = request(options)
    window = Window(options)
    path = str(distribution("cleanrl").locate_file("cleanrl") / script)
    sys.argv = [path, "--cuda", "False", "--seed", "1", *words]
    try:
        runpy.run_path(path, {"print": counting(window, steps_per_line)}, run_name="__main__")
    except WindowIsOver:
        pass
    report(program, ["cleanrl", "torch", "numpy", *packages], options, window)
    # Without the ends of EnvPool's threads and of the script's log, for which nobody needs to wait.
    os._exit(0)


if __name__ == "__main__":
    main()
