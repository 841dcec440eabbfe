"""What `benchmarks.whole_appliance` plays with.

- `stamp`: the time of a frame, written into the frame itself;
- `drawing`: the patients of the virtual scanner, drawn beforehand;
- `player`: shows them at 60 Hz, as a process, through shared memory or a pipe;
- `clocked_appliance`: the program `fibrostage` with clocks in it;
- `measuring`: what was taken of the machine, and when what was heard.
"""
