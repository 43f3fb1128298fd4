"""What the sync and the asynchronous handlers share."""
