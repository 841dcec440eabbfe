"""Errors of the calibration programs; each carries one sentence that names what is wrong and what to do."""

from __future__ import annotations


class CalibrationError(Exception):
    """Root of this package's errors: the work failed. Programs exit with 1."""


class WrongInputError(CalibrationError):
    """Something given from outside is wrong: an option, a path, a size. Programs exit with 2."""


class VideoOutputError(WrongInputError):
    """The video cannot be written: the path, the socket or the encoder refuses. Programs exit with 2."""


class ProfileError(WrongInputError):
    """A screen profile is missing or not valid. Programs exit with 2."""
