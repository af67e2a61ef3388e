"""Stable-Baselines3's A2C with the RL Zoo's settings for Atari, and its log where the Zoo puts it.

    python sb3_a2c.py GAME STEPS SEED LOG
"""

import sys

import ale_py  # noqa: F401  registers the games
from stable_baselines3 import A2C
from stable_baselines3.common.env_util import make_atari_env
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike
from stable_baselines3.common.vec_env import VecFrameStack

if __name__ == "__main__":
    game, steps, seed, log = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    env = f"{game}NoFrameskip-v4"
    envs = VecFrameStack(make_atari_env(env, n_envs=16, seed=seed), n_stack=4)
    policy = dict(optimizer_class=RMSpropTFLike, optimizer_kwargs=dict(eps=1e-5))
    model = A2C("CnnPolicy", envs, ent_coef=0.01, vf_coef=0.25, policy_kwargs=policy, seed=seed, tensorboard_log=f"{log}/{env}")
    model.learn(steps)
