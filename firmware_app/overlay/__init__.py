"""The overlay: from the loop's steps to what GStreamer draws over each frame.

`presentation` says what is told, a `state`; `drawing` sets it on two cards (`outcome_card`, `progress_card`,
on a `canvas`); `outlines` draws what lies over the panes. `layers` are drawn where their `guards` hold,
`bindings` remembers which picture and which patient they belong to. `display` joins all of it.
`trouble_card` is safe mode's.
"""
