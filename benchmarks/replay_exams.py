"""Twenty virtual exams through `fibrostage replay`: exactly five acquisitions each, and the right stage?

    python benchmarks/replay_exams.py [--per-stage 4] [--first-seed 90000] [--fps 15] [--json]

Seeds from 90000 on are used nowhere else. Virtual patients: agreement here is not clinical evidence.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from firmware_app.wording import NOTICE
from model_export.statistics.auc import delong_auc

PROGRAMS = Path(sys.executable).parent
THRESHOLDS = {"ge_s2": 2, "ge_s3": 3, "s4": 4}
NETWORKS = ("GM", "EM", "GM+EM", "GM+LSM")


@dataclass(frozen=True, slots=True)
class Replayed:
    """One exam: the truth, what the appliance counted, and what it concluded."""

    seed: int
    true_stage: int
    acquisitions: int
    refusals: tuple[str, ...]
    from_wrong_moments: int
    stage: int | None
    stage_text: str
    lsm_error: float
    scores: dict[str, dict[str, float]]
    times_real_time: float


def run(*words: object) -> str:
    """Run one of our programs; its output."""
    program, *arguments = (str(word) for word in words)
    done = subprocess.run([str(PROGRAMS / program), *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def replay_one(folder: Path, stage: int, seed: int, *form: object) -> Replayed:
    """Draw one exam and replay it; `form` are options of the virtual scanner: size and rate."""
    video, truth_path = folder / "exam.mp4", folder / "exam.json"
    draw = ("phantom", "exam", "--stage", stage, "--seed", seed, *form)
    run("fibrostage-calibrate", *draw, "--out", video, "--truth", truth_path)
    truth = json.loads(truth_path.read_text())
    lines = [json.loads(line) for line in run("fibrostage", "replay", video, "--json").splitlines()]
    accepted = [line for line in lines if line["type"] == "acquisition"]
    results = [line for line in lines if line["type"] == "result"]
    if len(results) != 1:
        raise SystemExit(f"error: seed {seed} gave {len(results)} results")
    result, summary = results[0], lines[-1]
    measured = [(a["measured_frame"], a["end_frame"]) for a in truth["acquisitions"]]
    astray = [a for a in accepted if not any(low <= a["evidence"]["frame"] < high for low, high in measured)]
    true_lsm = float(np.mean([a["q_box_mean_kpa"] for a in truth["acquisitions"]]))
    scores = {name: {k: result["methods"][name][k] for k in THRESHOLDS} for name in NETWORKS}
    scores["LSM"] = dict.fromkeys(THRESHOLDS, result["lsm"]["mean_kpa"])
    return Replayed(
        seed=seed,
        true_stage=stage,
        acquisitions=len(accepted),
        refusals=tuple(line["reason"] for line in lines if line["type"] == "refusal"),
        from_wrong_moments=len(astray),
        stage=result["stage"],
        stage_text=result["stage_text"],
        lsm_error=abs(result["lsm"]["mean_kpa"] / true_lsm - 1),
        scores=scores,
        times_real_time=summary["video_s"] / summary["elapsed_s"],
    )


def stage_agrees(exam: Replayed) -> bool:
    """The networks do not tell S0 from S1: stage 0 stands for both."""
    return exam.stage == (0 if exam.true_stage <= 1 else exam.true_stage)


def aucs(exams: list[Replayed]) -> dict[str, dict[str, float | None]]:
    """AUC of each method at each threshold."""
    stages = np.array([exam.true_stage for exam in exams])
    return {
        name: {
            key: delong_auc(np.array([e.scores[name][key] for e in exams]), stages >= lowest).auc
            for key, lowest in THRESHOLDS.items()
        }
        for name in (*NETWORKS, "LSM")
    }


def main() -> None:
    """Draw, replay, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--per-stage", type=int, default=4)
    parser.add_argument("--first-seed", type=int, default=90_000)
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--results", type=Path, help="folder; replay_exams.json there is written")
    parser.add_argument("--smoke", action="store_true", help="one exam, nothing is written")
    options = parser.parse_args()
    plan = [
        (stage, options.first_seed + 10 * stage + i) for stage in range(5) for i in range(options.per_stage)
    ]
    form: tuple[object, ...] = ("--fps", options.fps)
    if options.smoke:
        plan, form = plan[:1], ("--fps", 5, "--size", "720x540")
    with tempfile.TemporaryDirectory() as folder:
        exams = [replay_one(Path(folder), stage, seed, *form) for stage, seed in tqdm(plan, unit="exam")]
    decided = [exam for exam in exams if exam.stage is not None]
    report = {
        "benchmark": "replay_exams",
        "command": " ".join(["python", "benchmarks/replay_exams.py", *sys.argv[1:]]),
        "exams": len(exams),
        "with_exactly_five": sum(exam.acquisitions == 5 for exam in exams),
        "acquisitions_from_wrong_moments": sum(exam.from_wrong_moments for exam in exams),
        "stage_right": sum(stage_agrees(exam) for exam in decided),
        "stage_wrong": sum(not stage_agrees(exam) for exam in decided),
        "indeterminate": len(exams) - len(decided),
        "largest_lsm_error": max(exam.lsm_error for exam in exams),
        "median_times_real_time": float(np.median([exam.times_real_time for exam in exams])),
        "auc": {} if options.smoke else aucs(exams),
        "each": [asdict(exam) for exam in exams],
        "notice": NOTICE,
    }
    if options.results is not None and not options.smoke:
        text = json.dumps(report, indent=1)
        (options.results / "replay_exams.json").write_text(f"{text}\n", encoding="utf-8")
    print(json.dumps(report, indent=1) if options.json else _table(report))


def _table(report: dict[str, object]) -> str:
    return "\n".join(f"{key:32} {value}" for key, value in report.items() if key != "each")


if __name__ == "__main__":
    main()
