"""What stays on the appliance: the audit log, and the evidence of each result.

`journal` opens the audit log, `audit` appends lines to the `chain`, `verification` finds what is wrong.
`evidence` hears of every step and hands crops and results on to the `folder`, which writes an `archive` with
its `manifest`; `opening` reads one again, and `reproduction` scores it once more and compares.
"""
