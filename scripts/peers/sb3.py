"""Trains with Stable-Baselines3 for a while and prints one line of JSON: agent steps a second (a step is four frames), peak memory, and
how many cores everything else on the machine kept busy meanwhile.

The settings are those of RL Baselines3 Zoo for Atari, 16 environments for A2C and one for DQN. DQN is measured as in a long run: epsilon
at its end, an update every four steps, and a full replay memory: the first 2,000 transitions, over and over.
"""

import argparse
import json
import time

import ale_py  # noqa: F401  registers the games
import psutil
import torch
from stable_baselines3 import A2C, DQN
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_atari_env
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike
from stable_baselines3.common.vec_env import VecFrameStack

REPLAY = 100_000
FIRST = 2_000


def core_seconds():
    """Of this process, and of the whole machine."""
    own = psutil.Process().cpu_times()
    whole = psutil.cpu_times()
    return own.user + own.system, sum(whole) - whole.idle - whole.iowait


class Window(BaseCallback):
    """Opens `warmup` seconds after the training is what it is to be, and closes it `seconds` later."""

    def __init__(self, options, prepare=None):
        super().__init__()
        self.options, self.prepare = options, prepare
        self.ready_at = self.opened = None
        self.peak = 0

    def _on_step(self):
        now = time.perf_counter()
        if self.ready_at is None:
            if self.prepare is not None and not self.prepare(self.num_timesteps):
                return True
            self.ready_at = time.perf_counter()
        elif self.opened is None:
            if now - self.ready_at >= self.options.warmup:
                self.opened = (now, self.num_timesteps, *core_seconds())
        elif now - self.opened[0] >= self.options.seconds:
            self.close(now)
            return False
        return True

    def close(self, now):
        began, step, own, whole = self.opened
        own_now, whole_now = core_seconds()
        length = now - began
        self.result = {
            "steps_per_s": (self.num_timesteps - step) / length,
            "memory_mb": psutil.Process().memory_info().rss / 1e6,
            "cores_of_others": (whole_now - whole - own_now + own) / length,
        }


def a2c(env, options):
    policy = {"optimizer_class": RMSpropTFLike, "optimizer_kwargs": {"eps": 1e-5}}
    model = A2C("CnnPolicy", env, n_steps=5, ent_coef=0.01, vf_coef=0.25, policy_kwargs=policy, seed=1, device="cpu")
    return model, Window(options)


def dqn(env, options):
    model = DQN("CnnPolicy", env, buffer_size=REPLAY, learning_rate=1e-4, batch_size=32, learning_starts=FIRST, train_freq=4,
                gradient_steps=1, target_update_interval=1000, exploration_initial_eps=0.01, exploration_final_eps=0.01, seed=1,
                device="cpu")
    memory = model.replay_buffer

    def fill(step):
        if step < FIRST:
            return False
        n = memory.pos
        for rows in (memory.observations, memory.next_observations, memory.actions, memory.rewards, memory.dones, memory.timeouts):
            for start in range(n, REPLAY, n):
                rows[start:start + n] = rows[:min(n, REPLAY - start)]
        memory.full = True
        return True

    return model, Window(options, fill)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("agent", choices=["a2c", "dqn"])
    parser.add_argument("--game", default="MsPacman")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--warmup", type=float, default=5)
    options = parser.parse_args()
    torch.set_num_threads(psutil.cpu_count(logical=True))
    n_envs = 16 if options.agent == "a2c" else 1
    env = VecFrameStack(make_atari_env(f"{options.game}NoFrameskip-v4", n_envs=n_envs, seed=1), n_stack=4)
    model, window = (a2c if options.agent == "a2c" else dqn)(env, options)
    model.learn(10**9, callback=window)
    print(json.dumps(window.result))


if __name__ == "__main__":
    main()
