"""How the appliance is: measured beside its work, told to the ward and to a monitoring system.

`stopwatch` times the stages, `machine` reads what the computer tells about itself, `clock` what its clock is
worth; `report` puts them into one message, `page` serves the newest one to Prometheus and to
`fibrostage health` (`command`). `ladder` names what the appliance goes without; `witnesses` are whom both
ask.
"""
