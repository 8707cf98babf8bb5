"""Is the promise kept? Four weeks of questions in simulated time, through the product's own decisions and through others'.

The world stands in `benchmarks/world.py`, the clockwork in `benchmarks/simulation.py`. `ceiling` is the share that could be
kept if each question went at once to every qualified colleague, without capacity limits.
"""

import argparse
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks import report


def measure(options: argparse.Namespace) -> dict[str, Any]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
    import django

    django.setup()
    from benchmarks.simulation import POLICIES, Simulation
    from benchmarks.world import World

    world = World.make(options.seed, options.questions, options.experts)
    ran: dict[str, Simulation] = {name: policy(world).run() for name, policy in POLICIES.items()}
    hours = {name: _hours(simulation) for name, simulation in ran.items()}
    best = [world.best_possible(question) for question in world.questions]
    possible = [at is not None and at <= question.due_at for at, question in zip(best, world.questions, strict=True)]
    if options.plot:
        plot(hours, Path(options.plot))
    ceiling = fmean(possible)
    kept = {name: round(fmean(one <= 24 for one in took), 4) for name, took in hours.items()}
    others = max(share for name, share in kept.items() if name != "ours")
    by_policy = {name: _figures(simulation, hours[name]) for name, simulation in ran.items()}
    return {
        "kept": kept,
        "ceiling": round(ceiling, 4),
        "of_ceiling": round(kept["ours"] / ceiling, 4),
        "breaches_to_best_other": round((1 - kept["ours"]) / (1 - others), 3) if others < 1 else None,
        **by_policy["ours"],
        "others": {name: figures for name, figures in by_policy.items() if name != "ours"},
        "missed_by_arrival": _by_arrival(ran["ours"], possible),
    }


def _figures(simulation: Any, hours: Sequence[float]) -> dict[str, Any]:
    """`hops`: people who were given a question, on average; `over_capacity`: experts who ever held more than they may."""
    from benchmarks.world import CAPACITY

    return {
        "median_h": _or_never(quantile(hours, 0.5)),
        "p95_h": _or_never(quantile(hours, 0.95)),
        "hops": round(fmean(len(case.had) for case in simulation.cases), 2),
        "gini": round(gini(_loads(simulation)), 3),
        "escalations": sum(case.escalated for case in simulation.cases),
        "over_capacity": sum(most > CAPACITY for most in simulation.most.values()),
    }


def _or_never(hours: float) -> float | None:
    return None if hours == float("inf") else round(hours, 2)


def _hours(simulation: Any) -> list[float]:
    """Hours from question to answer; infinity for never."""
    return [
        (case.answered_at - case.question.asked_at) / timedelta(hours=1) if case.answered_at else float("inf")
        for case in simulation.cases
    ]


def _loads(simulation: Any) -> list[float]:
    """Questions given to each expert, per weekly working hour."""
    return [
        simulation.given[e.number] / (sum(end - begin for _day, begin, end in e.slots) / 60)
        for e in simulation.world.experts
    ]


def _by_arrival(simulation: Any, possible: Sequence[bool]) -> dict[str, str]:
    """Where the gap to the ceiling lies: breaches that somebody could have kept, by when the question was asked."""
    from benchmarks.world import ZONE

    found: dict[str, list[int]] = {}
    for case, could in zip(simulation.cases, possible, strict=True):
        local = case.question.asked_at.astimezone(ZONE)
        kept = case.answered_at is not None and case.answered_at <= case.question.due_at
        row = found.setdefault(f"{local:%a} {'evening' if local.hour >= 18 else 'day'}", [0, 0])
        row[0] += 1
        row[1] += could and not kept
    return {name: f"{missed} of {asked}" for name, (asked, missed) in found.items()}


def quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def gini(values: Sequence[float]) -> float:
    """0: everybody carries the same; 1: one carries all."""
    ordered, total = sorted(values), sum(values)
    weighted = sum((place + 1) * value for place, value in enumerate(ordered))
    return 2 * weighted / (len(ordered) * total) - (len(ordered) + 1) / len(ordered) if total else 0.0


def plot(hours: dict[str, list[float]], path: Path) -> None:
    """Share answered by hours since the question, one line a policy."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    for name, took in hours.items():
        ordered = sorted(took)
        shares = [100 * (place + 1) / len(ordered) for place in range(len(ordered))]
        axes.plot(ordered, shares, label=name.replace("_", " "), linewidth=2.5 if name == "ours" else 1.2)
    axes.axvline(24, color="grey", linestyle=":")
    axes.set(xlim=(0, 48), ylim=(0, 100), xlabel="hours since the question", ylabel="answered, %")
    axes.legend(loc="lower right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    report.run(__doc__ or "", measure, seed=1, questions=10_000, experts=200, plot="")
