"""What the appliance says in German."""

from __future__ import annotations

from firmware_app.video.capture_state import CaptureState
from firmware_app.wording.reasons import Closing, Doubt, Reason, Rung, Severity
from firmware_app.wording.sentences import Labels, Sentences, Wording, refusals_of

_REFUSALS = {
    Reason.NO_SIGNAL: ("Kein Videosignal", "Kabel und Videoausgang des Geräts prüfen"),
    Reason.UNREADABLE_PICTURE: ("Bild nicht lesbar", "Format der Aufnahmekarte prüfen"),
    Reason.OTHER_SCREEN: ("Kein Elastographie-Bild", "Doppelansicht der Elastographie einstellen"),
    Reason.B_MODE: ("B-Bild ohne Elastogramm", "auf SWE umschalten"),
    Reason.DOPPLER: ("Doppler, keine Elastographie", "auf SWE umschalten"),
    Reason.POWER_DOPPLER: ("Power-Doppler, keine Elastographie", "auf SWE umschalten"),
    Reason.OTHER_ELASTOGRAPHY: (
        "Kompressionselastographie oder fremdes Gerät",
        "auf Scherwellen-Elastographie umschalten",
    ),
    Reason.SCREEN_COVERED: ("Bild teilweise verdeckt", "Menü oder Fenster schließen"),
    Reason.OTHER_LAYOUT: (
        "Bildaufbau passt nicht zum Profil",
        "Doppelansicht wählen; ist sie es, den Techniker rufen",
    ),
    Reason.LAYOUT_DRIFT: (
        "Bildaufbau des Geräts hat sich geändert",
        "Techniker rufen: ein neues Bildprofil ist nötig",
    ),
    Reason.PANES_DIFFER: (
        "Die beiden Bilder zeigen nicht dieselbe Ebene",
        "Doppelansicht derselben Ebene wählen",
    ),
    Reason.NO_COLOUR_BOX: ("Keine Farbbox gefunden", "Box auf die Leber setzen"),
    Reason.NO_Q_BOX: ("Keine Q-Box", "Q-Box setzen und erneut einfrieren"),
    Reason.SEVERAL_Q_BOXES: ("Mehr als eine Q-Box", "nur eine Q-Box stehen lassen"),
    Reason.BAR_RANGE: ("Farbskala reicht nicht bis 40 kPa", "Skala auf 40 kPa stellen"),
    Reason.BAR_UNREADABLE: ("Farbskala nicht lesbar", "Farbbalken freigeben und erneut einfrieren"),
    Reason.BOX_UNFILLED: ("Box nicht gefüllt", "Atem anhalten, bis die Box gefüllt ist"),
    Reason.MINIMUM_NEAR_ZERO: ("Minimum in der Q-Box nahe null", "Q-Box von der Lücke wegschieben"),
    Reason.READOUT_DISAGREES: (
        "Angezeigte und gemessene Steifigkeit weichen ab",
        "erneut einfrieren; Techniker informieren",
    ),
    Reason.READOUT_UNREADABLE: (
        "Angezeigte Steifigkeit nicht lesbar",
        "Messwerte freigeben und erneut einfrieren",
    ),
    Reason.UNSTABLE: (
        "Stabilitätsindex unter 90 %",
        "Q-Box verschieben, oder stillhalten und erneut einfrieren",
    ),
    Reason.DUPLICATE: ("Dasselbe Bild wie zuvor", "erst live schallen, dann neu einfrieren"),
    Reason.PATIENT_CHANGED: ("Patientenwechsel", "eine neue Untersuchung beginnt"),
    Reason.PICTURE_QUALITY: ("Bild weicht von allem ab, was das Modell kennt", "Gain und Tiefe prüfen"),
    Reason.EXAM_COMPLETE: ("Fünf Messungen sind vollständig", "neue Untersuchung beginnen"),
    Reason.BEFORE_EXAM: (
        "Vor dieser Untersuchung eingefroren",
        "erst live schallen, dann neu einfrieren",
    ),
}

_DETAILS = {
    "Box {} % filled": "Box zu {} % gefüllt",
    "{} picture of shape {}": "Bild vom Typ {}, Form {}",
    "{}x{} pixels": "{}x{} Bildpunkte",
    "solid picture, contrast {} of 255": "einfarbiges Bild, Kontrast {} von 255",
    "nothing but noise": "nur Rauschen",
    "wrong colours": "falsche Farben",
    "colour bars": "Farbbalken-Testbild",
    "one colour all over": "überall dieselbe Farbe",
    "no stiffness bar": "kein Steifigkeitsbalken",
    "only a part of the stiffness bar is in sight": "nur ein Teil des Steifigkeitsbalkens ist zu sehen",
    "{} % of the picture in the colours of a map, no stiffness bar": (
        "{} % des Bildes in Farben einer Karte, kein Steifigkeitsbalken"
    ),
    "{} % of the picture in the colours of a map, its bar is not in sight": (
        "{} % des Bildes in Farben einer Karte, ihr Balken ist nicht zu sehen"
    ),
    "{} % of the picture in flow colours": "{} % des Bildes in Flussfarben",
    "the stiffness bar stands at x {}, y {}": "Steifigkeitsbalken bei x {}, y {}",
    "the gray pane stands {}, {} pixels from the elastogram's": (
        "B-Bild um {}, {} Bildpunkte gegen das Elastogramm versetzt"
    ),
    "other things on {} % of the two panes": "anderes auf {} % der beiden Bilder",
    "correlation {} outside the colour": "Korrelation {} außerhalb der Farbe",
    "colour in both panes, {} % of the map": "Farbe in beiden Bildern, {} % der Karte",
    "no coloured region in the upper pane": "keine Farbe im oberen Bild",
    "no outline around the coloured region": "kein Rahmen um die Farbe",
    "outline seen on {} % of the box in the lower pane": "Rahmen im unteren Bild nur zu {} % zu sehen",
    "box {} % coloured": "Box zu {} % farbig",
    "something else than tissue where the box has no colour": "kein Gewebe, wo die Box keine Farbe hat",
    "{} Q-boxes": "{} Q-Boxen",
    "no ring in the colour box": "kein Kreis in der Farbbox",
    "the Q-box reaches beyond the colour box": "die Q-Box ragt aus der Farbbox",
    "minimum {} kPa": "Minimum {} kPa",
    "printed minimum {} kPa": "angezeigtes Minimum {} kPa",
    "no printed mean with its unit": "kein Mittelwert mit Einheit angezeigt",
    "no printed values, and the opacity is not known": "keine Messwerte, und die Deckkraft ist unbekannt",
    "stability index {} %": "Stabilitätsindex {} %",
    "no number with a unit above the bar": "keine Zahl mit Einheit über dem Balken",
    "{} {} instead of {} or {} kPa": "{} {} statt {} oder {} kPa",
    "{} {} instead of {} kPa": "{} {} statt {} kPa",
    "{} {} on the screen, {} kPa in the model": "{} {} auf dem Bild, {} kPa im Modell",
    "printed {} kPa, decoded {} kPa": "angezeigt {} kPa, gemessen {} kPa",
    "gray-scale picture {} times the limit, elastogram {} times the limit": (
        "B-Bild beim {}-fachen, Elastogramm beim {}-fachen der Grenze"
    ),
    "gray-scale picture {} times the limit": "B-Bild beim {}-fachen der Grenze",
    "elastogram {} times the limit": "Elastogramm beim {}-fachen der Grenze",
}

_SILENT = Wording("", Severity.QUIET, "")

GERMAN = Sentences(
    language="de",
    notice="Nur für Forschungszwecke. Nicht zur Diagnose. Modell mit simulierten Daten trainiert.",
    refusals=refusals_of(_REFUSALS),
    details=_DETAILS,
    closings={
        Closing.FINISHED: "Untersuchung abgeschlossen",
        Closing.UNFINISHED: "Untersuchung ohne Ergebnis beendet: weniger als drei Messungen",
        Closing.CANCELLED: "Untersuchung abgebrochen",
        Closing.RESTARTED: "Eine neue Untersuchung wurde begonnen",
        Closing.PATIENT_CHANGED: "Patientenwechsel: das nächste Einfrieren beginnt eine neue Untersuchung",
        Closing.INTERRUPTED: "Untersuchung durch eine Unterbrechung beendet: Patient könnte gewechselt haben",
        Closing.IDLE: "Untersuchung beendet: eine halbe Stunde ist nichts geschehen",
    },
    doubts={
        Doubt.NO_MODEL: "Kein Modell: nur Steifigkeit",
        Doubt.FEWER_THAN_FIVE: "Weniger als fünf Messungen",
        Doubt.SPREAD: "IQR/Median der Steifigkeit über 30 %",
        Doubt.NO_READOUT: "Steifigkeit nicht mit angezeigten Werten verglichen",
    },
    phases={
        "waiting": Wording("Bereit", Severity.QUIET, "Q-Box setzen und einfrieren"),
        "scanning": Wording("", Severity.QUIET, "live schallen, dann einfrieren"),
        "held": Wording(
            "Derselbe Patient?",
            Severity.NOTICE,
            "auf der Bettseite fortsetzen, oder weiterschallen: eine neue Untersuchung beginnt",
        ),
        "complete": _SILENT,
        "closed": _SILENT,
    },
    captures={
        CaptureState.STARTING: Wording(
            "Warten auf das Videobild", Severity.QUIET, "Ultraschallgerät einschalten"
        ),
        CaptureState.LIVE: _SILENT,
        CaptureState.ENDED: _SILENT,
        CaptureState.NO_DEVICE: Wording(
            "Kein Videogerät",
            Severity.ALARM,
            "Aufnahmekarte einstecken oder Encoder einschalten; Name und Passwort prüfen",
        ),
        CaptureState.NO_CABLE: Wording(
            "Kein Videokabel",
            Severity.ALARM,
            "Kabel an beiden Enden einstecken; Ultraschallgerät einschalten",
        ),
        CaptureState.NO_SIGNAL: Wording(
            "Kein Videosignal", Severity.ALARM, "Kabel und Videoausgang des Geräts prüfen"
        ),
        CaptureState.UNSUPPORTED_TIMING: Wording(
            "Videoformat nicht unterstützt",
            Severity.ALARM,
            "Ausgang des Geräts auf 1080p oder 1280x1024 bei 60 Hz stellen",
        ),
        CaptureState.FROZEN_SOURCE: Wording(
            "Das Bild steht still",
            Severity.ALARM,
            "mit dem Bildschirm des Scanners vergleichen; Aufnahmekarte neu anstecken",
        ),
        CaptureState.BAD_COLOURS: Wording(
            "Falsche Farben",
            Severity.ALARM,
            "Kabel prüfen; Ausgang des Geräts auf RGB mit vollem Wertebereich stellen",
        ),
    },
    rungs={
        Rung.NO_MODEL: Wording(
            "Kein Modell: nur Steifigkeit", Severity.ALARM, "Techniker rufen: kein Bundle läuft"
        ),
        Rung.EARLIER_BUNDLE: Wording(
            "Das vorige Modell läuft",
            Severity.NOTICE,
            "Techniker rufen: das installierte Bundle ist ausgefallen",
        ),
        Rung.GPU_LOST: Wording(
            "GPU ausgefallen: der Prozessor rechnet", Severity.NOTICE, "nach der Untersuchung neu starten"
        ),
        Rung.OUTBOX_IN_MEMORY: Wording(
            "Ergebnisse warten im Speicher, nicht auf der Platte",
            Severity.ALARM,
            "nicht ausschalten; Techniker rufen: Platte prüfen",
        ),
        Rung.DISK_FULL: Wording(
            "Platte fast voll: nur Ergebnisse bleiben",
            Severity.ALARM,
            "Techniker rufen: Platz auf der Platte schaffen",
        ),
        Rung.RECORDS_LOST: Wording(
            "Aufzeichnungen nicht möglich", Severity.ALARM, "Techniker rufen: Platte prüfen"
        ),
        Rung.SCREEN_MISSING: Wording(
            "Kein Bildschirm für die Anzeige",
            Severity.NOTICE,
            "anschließen oder einschalten; alle 10 s ein neuer Versuch",
        ),
        Rung.BROKER_AWAY: Wording(
            "Die Abteilung ist nicht erreichbar",
            Severity.NOTICE,
            "nichts geht verloren, Ergebnisse warten hier; Netz prüfen",
        ),
        Rung.FEWER_PREVIEWS: Wording(
            "Auswertung langsam: weniger Vorschauen",
            Severity.QUIET,
            "nichts geht verloren; Techniker rufen: Kühlung prüfen",
        ),
        Rung.PAGE_MISSING: Wording(
            "Eine Seite wird nicht angeboten",
            Severity.QUIET,
            "Techniker rufen: ihr Port ist belegt, siehe Log",
        ),
        Rung.CLOCK_UNTRUSTED: Wording(
            "Die Uhr ist nicht synchronisiert", Severity.QUIET, "Techniker rufen: Zeitserver prüfen"
        ),
    },
    faults={
        "unknown_command": "Diesen Befehl gibt es nicht",
        "malformed": "Der Befehl ist nicht lesbar",
        "too_many": "Zu viele Befehle auf einmal: einen Moment warten",
        "no_exam": "Keine Untersuchung ist offen",
        "other_exam": "Inzwischen ist eine andere Untersuchung offen: nichts wurde geändert",
        "no_such_acquisition": "Diese Messung gibt es in dieser Untersuchung nicht",
        "not_held": "Diese Untersuchung wartet nicht auf ihre Fortsetzung",
        "implausible": "Ein Laborwert ist nicht plausibel",
    },
    labels=Labels(
        stage="FIBROSESTADIUM",
        no_outcome="noch kein Ergebnis",
        indeterminate="unbestimmt",
        provisional="vorläufig, {n} von {needed}",
        final="endgültig, {n} von {needed}",
        elsewhere="Patient nicht im Bild",
        preview_remark="Vorschau: live, zählt nicht",
        stiffness="STEIFIGKEIT",
        mean="Mittelwert",
        median="Median",
        spread="IQR/Median",
        spread_ok="verlässlich: höchstens {limit} %",
        spread_bad="nicht verlässlich: über {limit} %",
        acquisitions="MESSUNGEN",
        progress="{n} von {needed}",
        refused="{n} abgelehnt",
        activation="worauf die Netze schauen",
        no_model="kein Modell",
        gpu_failed="GPU ausgefallen",
        latency="{ms} ms je Auswertung",
        delay="Anzeige {ms} ms, {dropped} verloren",
        done="Erledigt",
        colon=": ",
        decimal=",",
    ),
)
