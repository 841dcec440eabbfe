"""Every error of the study and the exporter; each carries a sentence: what is wrong and what to do."""

from __future__ import annotations


class ExportError(Exception):
    """Root of the errors of `model_export`: the work failed. Programs exit with 1."""


class WrongInputError(ExportError):
    """Something given from outside is wrong: a file, a column, an option. Programs exit with 2."""


class NotInstalledError(WrongInputError):
    """The command needs the extra `train`, of which a package is missing."""

    def __init__(self, error: ModuleNotFoundError) -> None:
        """Name the package and the way to get it."""
        super().__init__(
            f"this needs the extra `train`, and {error.name} is not installed: in the source tree "
            "`pip install -e '.[train]'`"
        )


class CohortError(ExportError):
    """The appliance refuses so many virtual patients that no cohort can be drawn."""


class GateError(ExportError):
    """The exported or the INT8 graph does not say what the network says; no bundle is written."""


class PictureError(ExportError):
    """A picture of a cohort cannot be decoded; the sentence goes on after its file's name."""
