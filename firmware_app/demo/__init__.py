"""`make demo`: virtual exams, live, from the scanner's screen to the ward, with nothing at hand.

The processes of a hospital, on one machine: a broker that also serves the department page, a virtual scanner
and an appliance for each room, an independent subscriber (`mosquitto_sub`, not our code) and, if you open it,
a browser. `rooms` says what is in a room, `processes` runs it, `telling` prints what reaches the ward.
"""
