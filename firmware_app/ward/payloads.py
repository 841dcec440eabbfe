"""From the exam's values to the payloads of the MQTT contract."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import datetime

from firmware_app.exam.events import Acquisition, Refusal
from firmware_app.exam.state import NEEDED, AcquisitionAccepted, AcquisitionRefused, Exam, Phase, ResultIssued
from firmware_app.inference.bundle import Manifest
from firmware_app.journey import Square
from firmware_app.outcome import Outcome, Probabilities, decide, probabilities_of
from firmware_app.ward import messages
from firmware_app.wording import Reason, Sentences


def exam_message(
    exam: Exam, manifest: Manifest | None, header: messages.Header, words: Sentences
) -> messages.ExamMessage:
    """The exam as it stands, with the provisional outcome from three acquisitions on."""
    provisional = decide(exam.acquisitions, exam.serum, manifest) if exam.is_provisional else None
    return messages.ExamMessage(
        **dict(header),
        exam_id=exam.id,
        phase=exam.phase,
        n=len(exam.acquisitions),
        needed=NEEDED,
        opened=None if exam.opened is None else exam.opened.utc,
        closing=exam.closing,
        text=sentence_of(exam, words),
        reasons=_refused_by_reason(exam),
        last_refusal=None if exam.last_refusal is None else _last_refusal(exam.last_refusal, words),
        provisional=None if provisional is None else _estimate(provisional, words),
    )


def sentence_of(exam: Exam, words: Sentences) -> str | None:
    """What to tell people about the exam: why it ended, or what was last refused and what to do about it."""
    if exam.phase is Phase.CLOSED and exam.closing is not None:
        return words.closings[exam.closing]
    if exam.phase is Phase.HELD:
        held = words.phases["held"]
        return f"{held.text}{words.labels.colon}{held.remedy}"
    if exam.last_refusal is None:
        return None
    return words.sentence(exam.last_refusal.reason)


def acquisition_message(
    accepted: AcquisitionAccepted, header: messages.Header
) -> messages.AcquisitionMessage:
    """One acquisition that counts."""
    scores = accepted.acquisition.scores
    return messages.AcquisitionMessage(
        **dict(header),
        id=accepted.acquisition.id,
        exam_id=accepted.exam_id,
        n=accepted.n,
        replaces=accepted.replaces,
        needed=NEEDED,
        probabilities=None if scores is None else _probabilities(probabilities_of(scores.gm_em)),
        evidence=_frame_evidence(accepted.acquisition),
    )


def refusal_message(
    refused: AcquisitionRefused, header: messages.Header, words: Sentences
) -> messages.RefusalMessage:
    """One acquisition that does not count."""
    wording = words.refusals[refused.refusal.reason]
    return messages.RefusalMessage(
        **dict(header),
        id=refused.refusal.id,
        exam_id=refused.exam_id,
        replaces=refused.replaces,
        reason=refused.refusal.reason,
        severity=wording.severity,
        text=wording.text,
        remedy=wording.remedy,
        detail=words.detail(refused.refusal.detail),
        evidence=_frame_evidence(refused.refusal),
    )


def result_message(
    issued: ResultIssued, outcome: Outcome, header: messages.Header, words: Sentences
) -> messages.ResultMessage:
    """The outcome of an exam with its evidence."""
    if issued.exam.id is None or issued.exam.opened is None:
        raise ValueError("a result belongs to an exam that was opened")
    return messages.ResultMessage(
        **dict(header),
        **dict(_estimate(outcome, words)),
        id=issued.result_id,
        exam_id=issued.exam.id,
        replaces=issued.replaces,
        methods=_methods(outcome),
        evidence=_evidence(issued.exam, issued.exam.opened.utc),
    )


def _estimate(outcome: Outcome, words: Sentences) -> messages.Estimate:
    return messages.Estimate(
        n_acquisitions=outcome.n_acquisitions,
        stage=outcome.stage,
        stage_interval=list(outcome.stage_interval),
        stage_text=outcome.stage_text,
        indeterminate=outcome.indeterminate,
        probabilities=_probabilities(outcome.probabilities),
        lsm=messages.Lsm(**asdict(outcome.lsm)),
        reliability=messages.Reliability(
            ok=not outcome.doubts,
            reasons=list(outcome.doubts),
            texts=[words.doubts[doubt] for doubt in outcome.doubts],
        ),
    )


def _methods(outcome: Outcome) -> messages.Methods:
    methods = outcome.methods
    return messages.Methods.model_validate(
        {
            "GM": _probabilities(methods.gm),
            "EM": _probabilities(methods.em),
            "GM+EM": _probabilities(methods.gm_em),
            "GM+LSM": _probabilities(methods.gm_lsm),
            "LSM": messages.LsmStage(**asdict(methods.lsm)),
            "APRI": None if methods.apri is None else messages.SerumScore(value=methods.apri),
            "FIB-4": None if methods.fib4 is None else messages.SerumScore(value=methods.fib4),
        }
    )


def _probabilities(probabilities: Probabilities | None) -> messages.Probabilities | None:
    return None if probabilities is None else messages.Probabilities(**asdict(probabilities))


def _evidence(exam: Exam, opened: datetime) -> messages.Evidence:
    evidence = [
        messages.AcquisitionEvidence(**dict(_frame_evidence(a)), id=a.id, time=a.at.utc)
        for a in exam.acquisitions
    ]
    return messages.Evidence(
        opened=opened,
        acquisitions=evidence,
        discarded=[a.id for a in exam.discarded],
        refused=_refused_by_reason(exam),
        dropped=sum(a.dropped for a in exam.acquisitions) + sum(r.dropped for r in exam.refusals),
        latency_ms=max(a.latency_ms for a in exam.acquisitions),
    )


def _frame_evidence(seen: Acquisition | Refusal) -> messages.FrameEvidence:
    roi, digests = seen.roi, seen.crop_digests
    return messages.FrameEvidence(
        frame=seen.frame_number,
        pts_ns=seen.at.pts_ns,
        stiffness=None if seen.stiffness is None else messages.Stiffness(**asdict(seen.stiffness)),
        readout=None if seen.readout is None else messages.ReadOut(**asdict(seen.readout)),
        q_box=None if seen.q_box is None else messages.QBox(x=seen.q_box.x, y=seen.q_box.y, r=seen.q_box.r),
        roi=None if roi is None else messages.Roi(elastogram=_square(roi.elastogram), gray=_square(roi.gray)),
        crop_digests=None if digests is None else messages.CropDigests(**asdict(digests)),
        dropped=seen.dropped,
        latency_ms=seen.latency_ms,
    )


def _square(square: Square) -> messages.Square:
    return messages.Square(x=square.x, y=square.y, side=square.side)


def _refused_by_reason(exam: Exam) -> dict[Reason, int]:
    return dict(Counter(refusal.reason for refusal in exam.refusals))


def _last_refusal(refusal: Refusal, words: Sentences) -> messages.LastRefusal:
    wording = words.refusals[refusal.reason]
    return messages.LastRefusal(
        reason=refusal.reason,
        severity=wording.severity,
        text=wording.text,
        remedy=wording.remedy,
        detail=words.detail(refusal.detail),
        time=refusal.at.utc,
    )
