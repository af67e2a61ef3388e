"""Trains with Stable-Baselines3 for a while and prints one line of JSON: agent steps a second (a step is four frames), and how many cores
it and everything else on the machine kept busy meanwhile.

The settings are those of RL Baselines3 Zoo for Atari, 16 environments for A2C and one for DQN. DQN is measured as in a long run: epsilon
at its end, an update every four steps, and a full replay memory: the first 2,000 transitions, over and over.
"""

import ale_py  # noqa: F401  registers the games
import torch
from measuring import Window, n_cores, peer_options, report
from stable_baselines3 import A2C, DQN
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_atari_env
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike
from stable_baselines3.common.vec_env import VecFrameStack

REPLAY = 100_000
FIRST = 2_000


class Stop(BaseCallback):
    """Asks the window between two rollouts, each of which ends with its update, once `prepare` has said that all is as it is to be."""

    def __init__(self, window, prepare=lambda _step: True):
        super().__init__()
        self.window, self.prepare = window, prepare
        self.is_prepared = self.is_over = False

    def _on_rollout_start(self):
        self.is_prepared = self.is_prepared or self.prepare(self.num_timesteps)
        self.is_over = self.is_prepared and self.window.is_over(self.num_timesteps)

    def _on_step(self):
        return not self.is_over


def a2c(env, window):
    policy = {"optimizer_class": RMSpropTFLike, "optimizer_kwargs": {"eps": 1e-5}}
    model = A2C("CnnPolicy", env, n_steps=5, ent_coef=0.01, vf_coef=0.25, policy_kwargs=policy, seed=1, device="cpu")
    return model, Stop(window)


def dqn(env, window):
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

    return model, Stop(window, fill)


def main():
    options = peer_options(__doc__)
    torch.set_num_threads(n_cores())
    window = Window(options)
    env = VecFrameStack(make_atari_env(f"{options.game}NoFrameskip-v4", n_envs=options.envs, seed=1), n_stack=4)
    model, stop = (a2c if options.agent == "a2c" else dqn)(env, window)
    model.learn(10**9, callback=stop)
    packages = ["stable-baselines3", "torch", "ale-py", "gymnasium", "numpy", "opencv-python-headless"]
    report("Stable-Baselines3 {stable_baselines3}", packages, options, window)


if __name__ == "__main__":
    main()
