"""What stays on the appliance: the audit log, chained by digests."""
