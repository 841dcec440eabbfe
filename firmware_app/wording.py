"""The one table of what the appliance says: why it refuses, how grave that is, and what to do.

A refusal is named by a `Reason`; its value is what MQTT, JSON and the logs carry, the sentences are what
people read. No other module writes a sentence about a refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from firmware_app.video.capture_state import CaptureState

NOTICE = "For research use only. Not for diagnostic use. Model trained on simulated data."
"""Stands on every screen, report and message."""


class Severity(str, Enum):
    """How grave a refusal is: `quiet` is normal life, `notice` wants a hand, `alarm` wants a technician."""

    QUIET = "quiet"
    NOTICE = "notice"
    ALARM = "alarm"


class Reason(str, Enum):
    """Every reason for which a frame, an acquisition or an exam goes no further."""

    NO_SIGNAL = "no_signal"
    UNREADABLE_PICTURE = "unreadable_picture"
    OTHER_SCREEN = "other_screen"
    B_MODE = "b_mode"
    DOPPLER = "doppler"
    POWER_DOPPLER = "power_doppler"
    OTHER_ELASTOGRAPHY = "other_elastography"
    SCREEN_COVERED = "screen_covered"
    OTHER_LAYOUT = "other_layout"
    LAYOUT_DRIFT = "layout_drift"
    PANES_DIFFER = "panes_differ"
    NO_COLOUR_BOX = "no_colour_box"
    NO_Q_BOX = "no_q_box"
    SEVERAL_Q_BOXES = "several_q_boxes"
    BAR_RANGE = "bar_range"
    BAR_UNREADABLE = "bar_unreadable"
    BOX_UNFILLED = "box_unfilled"
    MINIMUM_NEAR_ZERO = "minimum_near_zero"
    READOUT_DISAGREES = "readout_disagrees"
    READOUT_UNREADABLE = "readout_unreadable"
    UNSTABLE = "unstable"
    DUPLICATE = "duplicate"
    PATIENT_CHANGED = "patient_changed"
    PICTURE_QUALITY = "picture_quality"
    EXAM_COMPLETE = "exam_complete"
    BEFORE_EXAM = "before_exam"


@dataclass(frozen=True, slots=True)
class Wording:
    """What people read: `text` says what is wrong, `remedy` what to do about it."""

    text: str
    severity: Severity
    remedy: str


WORDINGS: dict[Reason, Wording] = {
    Reason.NO_SIGNAL: Wording("No video signal", Severity.ALARM, "check the cable and the scanner's output"),
    Reason.UNREADABLE_PICTURE: Wording(
        "Picture cannot be read", Severity.ALARM, "check the capture card's format"
    ),
    Reason.OTHER_SCREEN: Wording(
        "Not an elastography screen", Severity.QUIET, "show the dual elastography view"
    ),
    Reason.B_MODE: Wording("B-mode, no elastogram", Severity.QUIET, "switch to SWE"),
    Reason.DOPPLER: Wording("Doppler, not elastography", Severity.QUIET, "switch to SWE"),
    Reason.POWER_DOPPLER: Wording("Power Doppler, not elastography", Severity.QUIET, "switch to SWE"),
    Reason.OTHER_ELASTOGRAPHY: Wording(
        "Strain or another scanner's elastography", Severity.NOTICE, "switch to shear-wave elastography"
    ),
    Reason.SCREEN_COVERED: Wording("Screen partly covered", Severity.NOTICE, "close the menu or window"),
    Reason.OTHER_LAYOUT: Wording(
        "Screen laid out unlike its profile",
        Severity.NOTICE,
        "use the dual view; if it is, tell the technician",
    ),
    Reason.LAYOUT_DRIFT: Wording(
        "The scanner's layout changed", Severity.ALARM, "tell the technician: the screen needs a new profile"
    ),
    Reason.PANES_DIFFER: Wording(
        "The two panes do not show the same plane", Severity.NOTICE, "use the dual view of one plane"
    ),
    Reason.NO_COLOUR_BOX: Wording("No colour box found", Severity.NOTICE, "place the box on the liver"),
    Reason.NO_Q_BOX: Wording("No Q-box", Severity.NOTICE, "place the Q-box and freeze again"),
    Reason.SEVERAL_Q_BOXES: Wording("More than one Q-box", Severity.NOTICE, "leave one Q-box"),
    Reason.BAR_RANGE: Wording("Colour range is not 40 kPa", Severity.NOTICE, "set the scale to 40 kPa"),
    Reason.BAR_UNREADABLE: Wording(
        "Colour range cannot be read", Severity.NOTICE, "uncover the colour bar and freeze again"
    ),
    Reason.BOX_UNFILLED: Wording("Box not filled", Severity.NOTICE, "hold breath, wait for a full map"),
    Reason.MINIMUM_NEAR_ZERO: Wording(
        "Minimum near zero in the Q-box", Severity.NOTICE, "move the Q-box away from the hole"
    ),
    Reason.READOUT_DISAGREES: Wording(
        "Printed and decoded stiffness disagree", Severity.NOTICE, "freeze again; tell the technician"
    ),
    Reason.READOUT_UNREADABLE: Wording(
        "Printed stiffness cannot be read", Severity.NOTICE, "uncover the read-out and freeze again"
    ),
    Reason.UNSTABLE: Wording(
        "Stability index below 90 %", Severity.NOTICE, "move the Q-box, or hold still and freeze again"
    ),
    Reason.DUPLICATE: Wording("Same picture as before", Severity.NOTICE, "scan live, then freeze anew"),
    Reason.PATIENT_CHANGED: Wording("Patient changed", Severity.NOTICE, "a new exam begins"),
    Reason.PICTURE_QUALITY: Wording(
        "Picture unlike those the model knows", Severity.NOTICE, "check gain and depth"
    ),
    Reason.EXAM_COMPLETE: Wording("Five acquisitions are complete", Severity.QUIET, "start a new exam"),
    Reason.BEFORE_EXAM: Wording(
        "Frozen before this exam began", Severity.NOTICE, "scan live, then freeze anew"
    ),
}


class Doubt(str, Enum):
    """Every reason for which an outcome is not reliable."""

    NO_MODEL = "no_model"
    FEWER_THAN_FIVE = "fewer_than_five"
    SPREAD = "spread"
    NO_READOUT = "no_readout"


DOUBTS: dict[Doubt, str] = {
    Doubt.NO_MODEL: "No model: stiffness only",
    Doubt.FEWER_THAN_FIVE: "Fewer than five acquisitions",
    Doubt.SPREAD: "IQR/median of the stiffness above 30 %",
    Doubt.NO_READOUT: "Stiffness not checked against printed values",
}


class Closing(str, Enum):
    """Every reason for which an exam ends."""

    FINISHED = "finished"
    UNFINISHED = "unfinished"
    CANCELLED = "cancelled"
    RESTARTED = "restarted"
    PATIENT_CHANGED = "patient_changed"
    IDLE = "idle"


CLOSINGS: dict[Closing, str] = {
    Closing.FINISHED: "Exam finished",
    Closing.UNFINISHED: "Exam ended without a result: fewer than three acquisitions",
    Closing.CANCELLED: "Exam cancelled",
    Closing.RESTARTED: "A new exam was started",
    Closing.PATIENT_CHANGED: "Patient changed: the next freeze begins a new exam",
    Closing.IDLE: "Exam ended: nothing happened for half an hour",
}


CAPTURES: dict[CaptureState, Wording] = {
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
        "The capture device repeats an old picture",
        Severity.ALARM,
        "unplug the capture device and plug it in",
    ),
    CaptureState.BAD_COLOURS: Wording(
        "Wrong colours", Severity.ALARM, "check the cable; set the scanner's output to RGB, full range"
    ),
}
"""What is wrong with the video; the states that are not here are no fault."""
