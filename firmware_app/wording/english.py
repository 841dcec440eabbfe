"""What the appliance says in English."""

from __future__ import annotations

from firmware_app.video.capture_state import CaptureState
from firmware_app.wording.reasons import Closing, Doubt, Reason, Rung, Severity
from firmware_app.wording.sentences import Labels, Sentences, Wording, refusals_of

_REFUSALS = {
    Reason.NO_SIGNAL: ("No video signal", "check the cable and the scanner's output"),
    Reason.UNREADABLE_PICTURE: ("Picture cannot be read", "check the capture card's format"),
    Reason.OTHER_SCREEN: ("Not an elastography screen", "show the dual elastography view"),
    Reason.B_MODE: ("B-mode, no elastogram", "switch to SWE"),
    Reason.DOPPLER: ("Doppler, not elastography", "switch to SWE"),
    Reason.POWER_DOPPLER: ("Power Doppler, not elastography", "switch to SWE"),
    Reason.OTHER_ELASTOGRAPHY: (
        "Strain or another scanner's elastography",
        "switch to shear-wave elastography",
    ),
    Reason.SCREEN_COVERED: ("Screen partly covered", "close the menu or window"),
    Reason.OTHER_LAYOUT: (
        "Screen laid out unlike its profile",
        "use the dual view; if it is, tell the technician",
    ),
    Reason.LAYOUT_DRIFT: (
        "The scanner's layout changed",
        "tell the technician: the screen needs a new profile",
    ),
    Reason.PANES_DIFFER: ("The two panes do not show the same plane", "use the dual view of one plane"),
    Reason.NO_COLOUR_BOX: ("No colour box found", "place the box on the liver"),
    Reason.NO_Q_BOX: ("No Q-box", "place the Q-box and freeze again"),
    Reason.SEVERAL_Q_BOXES: ("More than one Q-box", "leave one Q-box"),
    Reason.BAR_RANGE: ("Colour range is not 40 kPa", "set the scale to 40 kPa"),
    Reason.BAR_UNREADABLE: ("Colour range cannot be read", "uncover the colour bar and freeze again"),
    Reason.BOX_UNFILLED: ("Box not filled", "hold breath, wait for a full map"),
    Reason.MINIMUM_NEAR_ZERO: ("Minimum near zero in the Q-box", "move the Q-box away from the hole"),
    Reason.READOUT_DISAGREES: (
        "Printed and decoded stiffness disagree",
        "freeze again; tell the technician",
    ),
    Reason.READOUT_UNREADABLE: (
        "Printed stiffness cannot be read",
        "uncover the read-out and freeze again",
    ),
    Reason.UNSTABLE: ("Stability index below 90 %", "move the Q-box, or hold still and freeze again"),
    Reason.DUPLICATE: ("Same picture as before", "scan live, then freeze anew"),
    Reason.PATIENT_CHANGED: ("Patient changed", "a new exam begins"),
    Reason.PICTURE_QUALITY: ("Picture unlike those the model knows", "check gain and depth"),
    Reason.EXAM_COMPLETE: ("Five acquisitions are complete", "start a new exam"),
    Reason.BEFORE_EXAM: ("Frozen before this exam began", "scan live, then freeze anew"),
}

_DETAILS = (
    "Box {} % filled",
    "{} picture of shape {}",
    "{}x{} pixels",
    "solid picture, contrast {} of 255",
    "nothing but noise",
    "wrong colours",
    "colour bars",
    "one colour all over",
    "no stiffness bar",
    "only a part of the stiffness bar is in sight",
    "{} % of the picture in the colours of a map, no stiffness bar",
    "{} % of the picture in the colours of a map, its bar is not in sight",
    "{} % of the picture in flow colours",
    "the stiffness bar stands at x {}, y {}",
    "the gray pane stands {}, {} pixels from the elastogram's",
    "other things on {} % of the two panes",
    "correlation {} outside the colour",
    "colour in both panes, {} % of the map",
    "no coloured region in the upper pane",
    "no outline around the coloured region",
    "outline seen on {} % of the box in the lower pane",
    "box {} % coloured",
    "something else than tissue where the box has no colour",
    "{} Q-boxes",
    "no ring in the colour box",
    "the Q-box reaches beyond the colour box",
    "minimum {} kPa",
    "printed minimum {} kPa",
    "no printed mean with its unit",
    "no printed values, and the opacity is not known",
    "stability index {} %",
    "no number with a unit above the bar",
    "{} {} instead of {} or {} kPa",
    "{} {} instead of {} kPa",
    "{} {} on the screen, {} kPa in the model",
    "printed {} kPa, decoded {} kPa",
    "gray-scale picture {} times the limit, elastogram {} times the limit",
    "gray-scale picture {} times the limit",
    "elastogram {} times the limit",
)

_SILENT = Wording("", Severity.QUIET, "")

ENGLISH = Sentences(
    language="en",
    notice="For research use only. Not for diagnostic use. Model trained on simulated data.",
    refusals=refusals_of(_REFUSALS),
    details={sentence: sentence for sentence in _DETAILS},
    closings={
        Closing.FINISHED: "Exam finished",
        Closing.UNFINISHED: "Exam ended without a result: fewer than three acquisitions",
        Closing.CANCELLED: "Exam cancelled",
        Closing.RESTARTED: "A new exam was started",
        Closing.PATIENT_CHANGED: "Patient changed: the next freeze begins a new exam",
        Closing.INTERRUPTED: "Exam ended by an interruption: the patient may have changed",
        Closing.IDLE: "Exam ended: nothing happened for half an hour",
    },
    doubts={
        Doubt.NO_MODEL: "No model: stiffness only",
        Doubt.FEWER_THAN_FIVE: "Fewer than five acquisitions",
        Doubt.SPREAD: "IQR/median of the stiffness above 30 %",
        Doubt.NO_READOUT: "Stiffness not checked against printed values",
    },
    phases={
        "waiting": Wording("Ready", Severity.QUIET, "place the Q-box and freeze"),
        "scanning": Wording("", Severity.QUIET, "scan live, then freeze"),
        "held": Wording(
            "Same patient?",
            Severity.NOTICE,
            "resume this exam on the bedside page, or scan on: a new one begins",
        ),
        "complete": _SILENT,
        "closed": _SILENT,
    },
    captures={
        CaptureState.STARTING: Wording("Waiting for the video", Severity.QUIET, "switch the scanner on"),
        CaptureState.LIVE: _SILENT,
        CaptureState.ENDED: _SILENT,
        CaptureState.NO_DEVICE: Wording(
            "No video device",
            Severity.ALARM,
            "plug in the capture card or switch on the encoder; check its name and password",
        ),
        CaptureState.NO_CABLE: Wording(
            "No video cable", Severity.ALARM, "plug the cable in at both ends; switch the scanner on"
        ),
        CaptureState.NO_SIGNAL: Wording(
            "No video signal", Severity.ALARM, "check the cable and the scanner's output"
        ),
        CaptureState.UNSUPPORTED_TIMING: Wording(
            "Video format not supported",
            Severity.ALARM,
            "set the scanner's output to 1080p or 1280x1024 at 60 Hz",
        ),
        CaptureState.FROZEN_SOURCE: Wording(
            "The picture stands still",
            Severity.ALARM,
            "compare with the scanner's own screen; plug the capture device in anew",
        ),
        CaptureState.BAD_COLOURS: Wording(
            "Wrong colours",
            Severity.ALARM,
            "check the cable; set the scanner's output to RGB, full range",
        ),
    },
    rungs={
        Rung.NO_MODEL: Wording(
            "No model: stiffness only", Severity.ALARM, "tell the technician: no bundle works"
        ),
        Rung.EARLIER_BUNDLE: Wording(
            "The model before the installed one runs",
            Severity.NOTICE,
            "tell the technician: the installed bundle failed",
        ),
        Rung.GPU_LOST: Wording(
            "GPU failed: the processor scores", Severity.NOTICE, "restart the appliance after the exam"
        ),
        Rung.OUTBOX_IN_MEMORY: Wording(
            "Results wait in memory, not on the disk",
            Severity.ALARM,
            "do not switch off; tell the technician: check the disk",
        ),
        Rung.DISK_FULL: Wording(
            "Disk nearly full: only results are kept",
            Severity.ALARM,
            "tell the technician: make room on the disk",
        ),
        Rung.RECORDS_LOST: Wording(
            "Records cannot be written", Severity.ALARM, "tell the technician: check the disk"
        ),
        Rung.SCREEN_MISSING: Wording(
            "No screen for the overlay", Severity.NOTICE, "connect it or switch it on; it is tried every 10 s"
        ),
        Rung.BROKER_AWAY: Wording(
            "The department is not reached",
            Severity.NOTICE,
            "nothing is lost, results wait here; check the network",
        ),
        Rung.FEWER_PREVIEWS: Wording(
            "Analysis is slow: fewer previews",
            Severity.QUIET,
            "nothing is lost; tell the technician: check the cooling",
        ),
        Rung.PAGE_MISSING: Wording(
            "A page is not served", Severity.QUIET, "tell the technician: its port is taken, see the log"
        ),
        Rung.CLOCK_UNTRUSTED: Wording(
            "The clock is not synchronised", Severity.QUIET, "tell the technician: check the time server"
        ),
    },
    faults={
        "unknown_command": "There is no such command",
        "malformed": "The command cannot be read",
        "too_many": "Too many commands at once: wait a moment",
        "no_exam": "No exam is open",
        "other_exam": "Another exam is open by now: nothing was changed",
        "no_such_acquisition": "There is no such acquisition in this exam",
        "not_held": "This exam does not wait to be continued",
        "implausible": "A serum value is not plausible",
    },
    labels=Labels(
        stage="FIBROSIS STAGE",
        no_outcome="no outcome yet",
        indeterminate="indeterminate",
        provisional="provisional, {n} of {needed}",
        final="final, {n} of {needed}",
        elsewhere="patient not on the screen",
        preview_remark="preview: live, not counted",
        stiffness="STIFFNESS",
        mean="mean",
        median="median",
        spread="IQR/median",
        spread_ok="reliable: at most {limit} %",
        spread_bad="not reliable: above {limit} %",
        acquisitions="ACQUISITIONS",
        progress="{n} of {needed}",
        refused="{n} refused",
        activation="what the networks look at",
        no_model="no model",
        gpu_failed="GPU failed",
        latency="{ms} ms per analysis",
        delay="display {ms} ms, {dropped} lost",
        done="Done",
        colon=": ",
        decimal=".",
    ),
)
