"""The truth of a session: patients, acquisitions, refusals and phases, as plain JSON values."""

from __future__ import annotations

from calibration.phantom.exam import ACQUISITIONS, REFUSED_INDEX, PhaseKind
from calibration.phantom.patient import Patient
from calibration.phantom.scanner import Scanner


def _patient(patient: Patient) -> dict[str, object]:
    return {
        "stage": patient.stage,
        "lsm_kpa": patient.lsm_kpa,
        "age": patient.age,
        "ast": patient.ast_u_l,
        "ast_uln": patient.ast_uln_u_l,
        "alt": patient.alt_u_l,
        "platelets": patient.platelets_10e9_l,
        "gm_latent": patient.gm_latent,
        "em_latent": patient.em_latent,
    }


def _exam_truth(scanner: Scanner, number: int) -> dict[str, object]:
    """Returns patient, acquisitions and refusals of one exam as plain JSON values."""
    script = scanner.script
    exam = script.exams[number]
    phases = [q for q in script.phases if q.exam == number]
    acquisitions: list[dict[str, object]] = []
    refusals: list[dict[str, object]] = []
    for phase in phases:
        if phase.kind is PhaseKind.DOPPLER:
            refusals.append(
                {"reason": "doppler", "start_frame": phase.start_frame, "end_frame": phase.end_frame}
            )
        if phase.kind is not PhaseKind.MEASURED or phase.acquisition is None:
            continue
        freeze = next(q for q in phases if q.kind is PhaseKind.FREEZE and q.end_frame == phase.start_frame)
        frames = {
            "start_frame": freeze.start_frame,
            "measured_frame": phase.start_frame,
            "end_frame": phase.end_frame,
        }
        truth = scanner.truth(number, phase.acquisition).to_json()
        if phase.acquisition == REFUSED_INDEX:
            refusals.append({"reason": "box_unfilled", **frames, **truth})
        else:
            acquisitions.append({"index": phase.acquisition, **frames, **truth})
    means = [a["q_box_mean_kpa"] for a in acquisitions]
    if len(means) != ACQUISITIONS:
        raise ValueError(f"the script holds {len(means)} acquisitions")
    return {
        "patient": _patient(exam.patient),
        "seed": exam.seed,
        "start_frame": phases[0].start_frame,
        "end_frame": phases[-1].end_frame,
        "acquisitions": acquisitions,
        "refusals": refusals,
    }


def exam_truth(scanner: Scanner, version: str) -> dict[str, object]:
    """Returns the truth of a session as plain JSON values; frame ranges are half open, [start, end).

    The first exam's patient, acquisitions and refusals stand at the top; `exams` lists all.
    """
    script = scanner.script
    exams = [_exam_truth(scanner, number) for number in range(len(script.exams) - 1)]
    return {
        "seed": script.seed,
        "version": version,
        "size": [scanner.viewport.width, scanner.viewport.height],
        "fps": script.fps,
        "frame_count": script.frame_count,
        "patient": exams[0]["patient"],
        "acquisitions": exams[0]["acquisitions"],
        "refusals": exams[0]["refusals"],
        "phases": [
            {
                "phase": phase.name,
                "start": phase.start_frame,
                "end": phase.end_frame,
                "exam": phase.exam,
                "acquisition": phase.acquisition,
            }
            for phase in script.phases
        ],
        "exams": exams,
    }
