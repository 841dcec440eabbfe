"""Commissioning: from one picture or video of a layout that nobody has seen to a screen profile.

In the order of the work:

- `recording`     picks the frames of a video that the proposal is made from
- `layout`        finds the colour bar and the two panes; `surroundings` what stands around their pictures
- `captions`      reads every printed text once, and says what each is
- `areas`         turns places of the picture into the areas of a profile
- `proposal`      `propose`: all of it, tried on the picture itself; `marks` says what was found where
- `trial`         reads the recording with the proposed profile, and judges whether it holds
- `document`      writes the profile as commented TOML
- `preview`       draws what was found, with numbers and a legend, the patient's banner hidden
- `command`       `fibrostage-calibrate screen`
"""
