"""The words of the localised user interface.

English and German settings are as on real screens (German: `Niedrig`, `BR:`, `Box-Pos.`). The read-out's
labels are assumptions: no real screen with a Q-box is at hand, so a language may carry several spellings.
"""

from __future__ import annotations

from dataclasses import dataclass

from calibration.profile import Language


@dataclass(frozen=True, slots=True)
class Words:
    """One language.

    Attributes:
        mean, minimum, maximum, deviation, diameter, depth, stability: spellings of the read-out's labels.
        low: the lowest step of a setting.
        frame: label of the cine counter.
        liver, muscle: names of the presets.
        abdomen: name of the application.
        pan, box_position, box_size: the menu row.
        notes: free annotation texts.
    """

    mean: tuple[str, ...]
    minimum: tuple[str, ...]
    maximum: tuple[str, ...]
    deviation: tuple[str, ...]
    diameter: tuple[str, ...]
    depth: tuple[str, ...]
    stability: tuple[str, ...]
    low: str
    frame: str
    liver: str
    muscle: str
    abdomen: str
    pan: str
    box_position: str
    box_size: str
    notes: tuple[str, ...]


WORDS: dict[Language, Words] = {
    "en": Words(
        mean=("Mean",),
        minimum=("Min",),
        maximum=("Max",),
        deviation=("SD",),
        diameter=("Diam",),
        depth=("Depth",),
        stability=("SI",),
        low="Low",
        frame="Fr",
        liver="Liver",
        muscle="Muscle",
        abdomen="Abdomen",
        pan="Pan",
        box_position="Box Pos.",
        box_size="Box Size",
        notes=("LIVER R LOBE S8", "SEG V / VIII", "intercostal 3", "breath hold", "RT LOBE"),
    ),
    "de": Words(
        mean=("Mittel", "Mittelwert"),
        minimum=("Min",),
        maximum=("Max",),
        deviation=("SD", "StdAbw"),
        diameter=("Durchm",),
        depth=("Tiefe",),
        stability=("SI",),
        low="Niedrig",
        frame="BR",
        liver="Leber",
        muscle="Muskel",
        abdomen="Abdomen",
        pan="Pan",
        box_position="Box-Pos.",
        box_size="Box-Gr\N{LATIN SMALL LETTER O WITH DIAERESIS}\N{LATIN SMALL LETTER SHARP S}e",
        notes=("LEBER RE S8", "TRAP Re relaxed 2", "interkostal 2", "Atemstopp", "Segment V"),
    ),
    "fr": Words(
        mean=("Moy", "Moyenne"),
        minimum=("Min",),
        maximum=("Max",),
        deviation=("ET",),
        diameter=("Diam",),
        depth=("Prof",),
        stability=("IS",),
        low="Bas",
        frame="Im",
        liver="Foie",
        muscle="Muscle",
        abdomen="Abdomen",
        pan="D\N{LATIN SMALL LETTER E WITH ACUTE}pl.",
        box_position="Pos. bo\N{LATIN SMALL LETTER I WITH CIRCUMFLEX}te",
        box_size="Taille bo\N{LATIN SMALL LETTER I WITH CIRCUMFLEX}te",
        notes=("FOIE DT S8", "apn\N{LATIN SMALL LETTER E WITH ACUTE}e", "intercostal 4", "Seg VI"),
    ),
    "it": Words(
        mean=("Media",),
        minimum=("Min",),
        maximum=("Max",),
        deviation=("DS",),
        diameter=("Diam",),
        depth=("Prof",),
        stability=("IS",),
        low="Basso",
        frame="Fot",
        liver="Fegato",
        muscle="Muscolo",
        abdomen="Addome",
        pan="Sposta",
        box_position="Pos. box",
        box_size="Dim. box",
        notes=("FEGATO DX S8", "apnea", "intercostale 1", "Seg. V"),
    ),
}
