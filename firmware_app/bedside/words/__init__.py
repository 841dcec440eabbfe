"""What the bedside page says besides the appliance's own sentences (`wording`), in its language.

`table` is the form, `english`, `german` and `chinese` the tables.
"""

from firmware_app.bedside.words.chinese import CHINESE
from firmware_app.bedside.words.english import ENGLISH
from firmware_app.bedside.words.german import GERMAN
from firmware_app.bedside.words.table import Words
from firmware_app.wording import Language

_TABLES: dict[Language, Words] = {"en": ENGLISH, "de": GERMAN, "zh": CHINESE}


def words_of(language: Language) -> Words:
    """Every label of the page in this language."""
    return _TABLES[language]


__all__ = ["Words", "words_of"]
