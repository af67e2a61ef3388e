"""What several rounds of measurements come to: medians, ranges, and how many times as fast rlrun is."""

import statistics
from typing import NamedTuple

OURS = "rlrun"
# Whose environments and updates are those of our configurations: it is named in every comparison.
REFERENCE = "sb3"


class Setting(NamedTuple):
    agent: str
    who: str
    """`rlrun` or the key of a peer."""
    n_envs: int

    def named(self, program=None):
        plural = "" if self.n_envs == 1 else "s"
        return f"{program or self.who}, {self.n_envs} environment{plural}"


class Result(NamedTuple):
    """Of one setting, over all rounds in which it could be measured."""

    setting: Setting
    program: str
    rates: dict
    """Steps a second by number of round."""
    memory_mb: float
    n_disturbed: int

    @property
    def median(self):
        return statistics.median(self.rates.values())

    @property
    def name(self):
        return self.setting.named(self.program)


def results(measurements, settings):
    """Of the settings of which there is at least one number."""
    found = []
    for setting in settings:
        rows = [row for row in measurements if setting_of(row) == setting and "error" not in row]
        if rows:
            rates = {row["round"]: row["steps_per_s"] for row in rows}
            memory_mb = max(row["memory_mb"] for row in rows)
            found.append(Result(setting, rows[0]["program"], rates, memory_mb, sum(row["disturbed"] for row in rows)))
    return found


def setting_of(row):
    return Setting(row["agent"], row["who"], row["n_envs"])


def ratios(ours, theirs):
    """How many times as fast ours is: by the medians of all rounds, and in each round that both have."""
    each = {number: rate / theirs.rates[number] for number, rate in ours.rates.items() if number in theirs.rates}
    return ours.median / theirs.median, each


def standings(found):
    """Of each agent: our result, those of others, and whom to compare with: the reference, and the fastest."""
    for agent in dict.fromkeys(result.setting.agent for result in found):
        of_agent = [result for result in found if result.setting.agent == agent]
        ours = next((result for result in of_agent if result.setting.who == OURS), None)
        others = [result for result in of_agent if result.setting.who != OURS]
        targets = []
        if ours and others:
            reference = next((result for result in others if result.setting.who == REFERENCE), None)
            fastest = max(others, key=lambda result: result.median)
            targets = [(role, result) for role, result in (("reference", reference), ("fastest", fastest)) if result]
        yield agent, ours, others, targets


def summary(found):
    """For the JSON file."""
    document = {}
    for agent, ours, others, targets in standings(found):
        rows = [{**as_row(result), **({"ratio": as_ratio(ours, result)} if ours else {})} for result in others]
        roles = {role: {"name": result.name, **as_ratio(ours, result)} for role, result in targets}
        document[agent] = {"ours": as_row(ours) if ours else None, "peers": rows, "ours_to": roles}
    return document


def as_row(result):
    rates = list(result.rates.values())
    return {"name": result.name, "n_rounds": len(rates), "median": result.median, "least": min(rates), "most": max(rates),
            "peak_memory_mb": result.memory_mb, "n_disturbed": result.n_disturbed}


def as_ratio(ours, theirs):
    of_medians, each = ratios(ours, theirs)
    return {"of_medians": of_medians, "of_each_round": list(each.values())}


def table(found, n_rounds):
    """Lines for people."""
    width = max((len(result.name) for result in found), default=0)
    for agent, ours, others, targets in standings(found):
        for result in ([ours] if ours else []) + others:
            line = f"  {agent}  {result.name:{width}}  {spread(result.rates.values(), 0):24}  {result.memory_mb:7,.0f}"
            n_missing = n_rounds - len(result.rates)
            notes = [f"{result.n_disturbed} disturbed"] * (result.n_disturbed > 0) + [f"{n_missing} missing"] * (n_missing > 0)
            yield "  ".join([line, *notes])
        for role, result in targets:
            of_medians, each = ratios(ours, result)
            yield f"  {agent}  ratio to {result.name} (the {role}): {of_medians:.2f}; of each round {spread(each.values(), 2)}"


def spread(numbers, digits):
    numbers = list(numbers)
    if not numbers:
        return "none"
    return f"{statistics.median(numbers):,.{digits}f} ({min(numbers):,.{digits}f} - {max(numbers):,.{digits}f})"
