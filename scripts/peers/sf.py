"""Runs the APPO of Sample Factory for a while and prints one line of JSON: agent steps a second (a step is four frames), and how many cores
it and everything else on the machine kept busy meanwhile.

APPO is PPO whose actors do not wait for the learner. It is measured in place of an A2C, with the work of one: each sample is learned from
once. Its games are EnvPool's, 32 steps to a rollout, 256 samples to an update, a worker for each core. Counted are the steps that the
learner has learned from, which on few cores is less than what the actors play.

    actors     rollouts of all environments      | the next ones                     |
    learner    (waits)                           updates, one after the other ... (waits) ...

Updates come in bursts, so the window opens and closes when as many steps have been learned from as one such round has.
"""

import contextlib
import os
import sys
import tempfile

from measuring import Window, n_cores, peer_options, report

ROLLOUT_STEPS = 32
BATCH = 256


def words(options, folder):
    """The options of Sample Factory."""
    n_workers = n_cores()
    if options.agent != "a2c" or options.envs % n_workers != 0:
        sys.exit(f"sf: there is APPO only, in place of a2c, with a multiple of {n_workers} environments")
    return [f"--env=atari_{options.game.lower()}", "--device=cpu", "--seed=1", "--experiment=peer", f"--train_dir={folder}",
            "--restart_behavior=overwrite", "--summaries_use_frameskip=False", "--train_for_env_steps=1000000000",
            "--lr_schedule=constant", f"--num_workers={n_workers}", f"--env_agents={options.envs // n_workers}",
            "--num_envs_per_worker=1", "--worker_num_splits=1", f"--rollout={ROLLOUT_STEPS}", f"--batch_size={BATCH}",
            "--num_batches_per_epoch=1", "--num_epochs=1", "--async_rl=True", "--serial_mode=False", "--normalize_input=False",
            "--save_every_sec=1000000"]


def train(options, window, folder):
    """Returns once the window is over; the workers go on until somebody ends them."""
    from sample_factory.algo.runners.runner import AlgoObserver
    from sample_factory.algo.utils.misc import ExperimentStatus
    from sample_factory.train import make_runner
    from sf_examples.envpool.atari import train_envpool_atari as example

    class WindowIsOver(Exception):
        """Ends the runner's loop."""

    class Watch(AlgoObserver):
        n_rounds = 0

        def on_training_step(self, runner, training_iteration_since_resume):
            step = sum(runner.env_steps.values())
            n_rounds = step // (options.envs * ROLLOUT_STEPS)
            if n_rounds > self.n_rounds:
                self.n_rounds = n_rounds
                if window.is_over(step):
                    raise WindowIsOver

    example.register_atari_components()
    _config, runner = make_runner(example.parse_atari_args(words(options, folder)))
    runner.register_observer(Watch())
    if runner.init() != ExperimentStatus.SUCCESS:
        sys.exit("sf: the runner could not be set up")
    with contextlib.suppress(WindowIsOver):
        runner.run()


def main():
    options = peer_options(__doc__)
    window = Window(options)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        train(options, window, folder)
    report("Sample Factory {sample_factory}, EnvPool {envpool}", ["sample-factory", "envpool", "torch", "numpy", "gym"], options, window)
    # Its processes would be waited for; who measures ends them.
    os._exit(0)


if __name__ == "__main__":
    main()
