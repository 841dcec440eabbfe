"""What can go wrong, by name: the values that MQTT, JSON and the logs carry, and how grave each is."""

from __future__ import annotations

from enum import Enum


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


class Doubt(str, Enum):
    """Every reason for which an outcome is not reliable."""

    NO_MODEL = "no_model"
    FEWER_THAN_FIVE = "fewer_than_five"
    SPREAD = "spread"
    NO_READOUT = "no_readout"


class Closing(str, Enum):
    """Every reason for which an exam ends."""

    FINISHED = "finished"
    UNFINISHED = "unfinished"
    CANCELLED = "cancelled"
    RESTARTED = "restarted"
    PATIENT_CHANGED = "patient_changed"
    INTERRUPTED = "interrupted"
    IDLE = "idle"


class Rung(str, Enum):
    """Every rung of the degradation ladder: what the appliance goes without; the gravest first."""

    NO_MODEL = "no_model"
    EARLIER_BUNDLE = "earlier_bundle"
    GPU_LOST = "gpu_lost"
    OUTBOX_IN_MEMORY = "outbox_in_memory"
    DISK_FULL = "disk_full"
    RECORDS_LOST = "records_lost"
    SCREEN_MISSING = "screen_missing"
    BROKER_AWAY = "broker_away"
    FEWER_PREVIEWS = "fewer_previews"
    PAGE_MISSING = "page_missing"
    CLOCK_UNTRUSTED = "clock_untrusted"


_QUIET = frozenset(
    {Reason.OTHER_SCREEN, Reason.B_MODE, Reason.DOPPLER, Reason.POWER_DOPPLER, Reason.EXAM_COMPLETE}
)
_ALARM = frozenset({Reason.NO_SIGNAL, Reason.UNREADABLE_PICTURE, Reason.LAYOUT_DRIFT})


def severity_of(reason: Reason) -> Severity:
    """How grave it is; what is neither normal nor for the technician wants the sonographer's hand."""
    if reason in _QUIET:
        return Severity.QUIET
    return Severity.ALARM if reason in _ALARM else Severity.NOTICE
