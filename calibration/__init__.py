"""What ties pixels to the world.

- `profile`     where a scanner family draws what (`profiles/*.toml`), checked and loaded by name or file
- `colour_map`  the scanners' stiffness colour map
- `phantom`     the virtual scanner: screens, videos and exams of virtual patients, with their truth
- `program`     what the sub-commands of `fibrostage-calibrate` share; `cli` the program itself
- `errors`      every error of this package

Nothing of `firmware_app` or `model_export` is imported here.
"""
