"""The virtual scanner: draws SuperSonic Aixplorer liver 2D-SWE screens of virtual patients, with the truth.

Follow a picture: `patient` (who) -> `anatomy` (build, settings) -> `tissue` (echo strength) -> `b_mode`
(speckle, scan conversion) -> `elastogram` (stiffness map) -> `furniture`, `text`, `screen` (the whole screen)
-> `acquisition` (a frozen, measured screen) -> `exam` (script of an examination), `doppler`, `scanner` (the
screen at any of its frames), `exam_truth` -> `pipe`, `video` (file or live source) -> `options`,
`frame_command`, `commands`. `truth` says what is on a screen; `geometry` where; `randomness` gives each part
its own stream. These pictures are what models are trained on: they never change.

Follow a scene, with all the variety of real screens, drawn for tests and commissioning: `properties` (what it
is) -> `pane`, `linear` (plane and colour box of either probe) -> `scene_map` (the map) -> `scene_print` (the
numbers, in one `language`) -> `scene_furniture`, `scene_screen` (the screen, in one `layout`) -> `scene`.
`negative`, from `negative_ultrasound` and `negative_other`, draws what is no such screen. `capture` takes any
picture through cables and cards.

Agreement on virtual patients shows that the tool chain works. It is not clinical evidence.
"""

from calibration.phantom.acquisition import draw_acquisition
from calibration.phantom.patient import Patient, Quality, draw_patient
from calibration.phantom.truth import FrameTruth, Viewport

__all__ = ["FrameTruth", "Patient", "Quality", "Viewport", "draw_acquisition", "draw_patient"]
