"""The sandbox: a provider over HTTP. Its other side is `dashboard.transfers.simulator`."""
