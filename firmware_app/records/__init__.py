"""What stays on the appliance: the audit log.

`journal` opens it, `audit` appends lines to the `chain`, and `verification` finds what does not belong.
"""
