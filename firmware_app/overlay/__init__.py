"""The overlay: from the appliance's state to small pictures on the display branch.

`presentation` says what is shown, `drawing` draws it on the `canvas`.
"""
