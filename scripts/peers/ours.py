"""The program rlrun, beside the peers: it knows by itself what it can be asked, and how fast it is."""

import json
import os
import re
import shutil
import subprocess

import measuring
from installing import ROOT


class Refused(Exception):
    """The request was wrong."""


class Broken(Exception):
    """rlrun cannot be asked at all."""


class Ours:
    def __init__(self, asked):
        self.asked = asked
        named = os.environ.get("RLRUN") or str(ROOT / "rlrun")
        found = shutil.which(named)
        if found is None:
            raise Broken(f"{named} is no program that can be run")
        self.program = os.path.abspath(found)
        self.version = "rlrun"
        self.notes = []

    def check(self):
        """Returns the game as everybody calls it. Raises Refused."""
        self.version = self.ask(["--version"]).strip() or "rlrun"
        for agent in self.asked.agents:
            plan = self.ask([*self.words(agent), "--dry-run"])
            if agent == "dqn":
                self.notes.append(about_memory(plan))
        named = re.search(r'^game = "(.+)"$', plan, re.MULTILINE)
        if named is None:
            raise Broken(f"{self.program} names no game in its plan")
        game = named.group(1)
        if not game.isalnum():
            raise Refused(f"peers play Atari games only, and {game} is a world of rlrun's own")
        return game

    def words(self, agent):
        asked = self.asked
        # Peers are on the CPU, and present their games as baselines did.
        return ["--game", asked.game, "--agent", agent, "--torso", asked.torso, "--precision", asked.precision, "--device", "cpu",
                "--protocol", "baselines"]

    def ask(self, words):
        asked = subprocess.run([self.program, *words], stdout=subprocess.PIPE, text=True)
        if asked.returncode == 2:
            raise Refused("rlrun refuses this request, as it says above")
        if asked.returncode != 0:
            raise Broken(f"{self.program} {' '.join(words)} ended with exit status {asked.returncode}")
        return asked.stdout

    def measure(self, setting, folder, limit_s):
        words = ["bench", "train", *self.words(setting.agent), "--envs", str(setting.n_envs), "--seconds", f"{self.asked.seconds:g}",
                 "--repeats", "1", "--json", "numbers.json"]
        seen = measuring.watch([self.program, *words], folder, os.environ, limit_s)
        document = json.loads((folder / "numbers.json").read_text())
        row = document["rows"][0]
        return {
            "program": self.version,
            "steps_per_s": row["steps_per_s"]["median"],
            # Its own peak, from before it measures what the machine could do at most.
            "memory_mb": row.get("peak_memory_mb") or seen.memory_mb,
            "cores_had": row["cores_had"],
            "cores_of_others": seen.cores_of_others,
            "versions": {"rlrun": self.version, "libtorch": document["machine"]["libtorch"]},
        }


def about_memory(plan):
    """What our DQN is measured with and the peers' is not."""
    memory = re.search(r"memory = about ([\d_]+) MB", plan)
    in_full = f"; its plan counts about {int(memory.group(1).replace('_', '')):,} MB for one" if memory else ""
    return ("The replay memory of rlrun's dqn holds what warm-up and measurement put into it, while those of the peers are full with 100,000 "
            f"transitions: its updates, batches and epsilon are those of a long run, its peak memory is not{in_full}.")
