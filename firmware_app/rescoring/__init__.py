"""An archive of recorded exams scored again: `fibrostage replay FOLDER`.

- `archive`    which recordings there are, what is known of each, and the file that comes of it
- `scoring`    the work on one recording, in whatever process or on whatever machine it is done
- `processes`  workers on this machine, one processor core each; `cluster` those of a Dask scheduler
- `command`    hands the recordings to the workers and tells what became of each
"""
