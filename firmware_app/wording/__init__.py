"""The one table of what the appliance says: why it refuses, how grave that is, and what to do.

A refusal is named by a `Reason`; its value is what MQTT, JSON and the logs carry, the sentences are what
people read, in the language of the configuration. No other module of the appliance writes a sentence about a
refusal. `reasons` holds the names, `sentences` the form of a table, `english`, `german` and `chinese` the
tables.
"""

from firmware_app.wording.chinese import CHINESE
from firmware_app.wording.english import ENGLISH
from firmware_app.wording.german import GERMAN
from firmware_app.wording.reasons import Closing, Doubt, Reason, Rung, Severity
from firmware_app.wording.sentences import Labels, Language, Sentences, Wording

NOTICE = ENGLISH.notice
"""Stands on every screen, report and message."""
WORDINGS = ENGLISH.refusals
CAPTURES = ENGLISH.captures
CLOSINGS = ENGLISH.closings
DOUBTS = ENGLISH.doubts
RUNGS = ENGLISH.rungs
"""What logs, reports and the programs for technicians say; they are English."""

_TABLES: dict[Language, Sentences] = {"en": ENGLISH, "de": GERMAN, "zh": CHINESE}


def sentences(language: Language) -> Sentences:
    """Everything that the appliance says, in this language."""
    return _TABLES[language]


__all__ = [
    "CAPTURES",
    "CLOSINGS",
    "DOUBTS",
    "NOTICE",
    "RUNGS",
    "WORDINGS",
    "Closing",
    "Doubt",
    "Labels",
    "Language",
    "Reason",
    "Rung",
    "Sentences",
    "Severity",
    "Wording",
    "sentences",
]
