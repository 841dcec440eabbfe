"""The virtual scanner: draws SuperSonic Aixplorer liver 2D-SWE screens of virtual patients, with the truth.

Follow a picture: `patient` (who) -> `anatomy` (build, settings) -> `tissue` (echo strength) -> `b_mode`
(speckle, scan conversion) -> `elastogram` (stiffness map) -> `furniture`, `text`, `screen` (the whole screen)
-> `acquisition` (a frozen, measured screen) -> `exam` (script of an examination), `doppler`, `scanner` (the
screen at any of its frames), `exam_truth` -> `pipe`, `video` (file or live source) -> `commands`.
`truth` says what is on a screen; `geometry` where; `randomness` gives each part its own stream.

Agreement on virtual patients shows that the tool chain works. It is not clinical evidence.
"""

from calibration.phantom.acquisition import draw_acquisition
from calibration.phantom.patient import Patient, Quality, draw_patient
from calibration.phantom.truth import FrameTruth, Viewport

__all__ = ["FrameTruth", "Patient", "Quality", "Viewport", "draw_acquisition", "draw_patient"]
