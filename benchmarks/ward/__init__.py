"""A hospital's appliances without their video, for `benchmarks.feed`.

- `appliances`  processes that publish what appliances publish, when they publish it
- `polling`     what one would write instead: a server that keeps the newest states, asked once a second
- `page`        a message until it is on the department page
"""
