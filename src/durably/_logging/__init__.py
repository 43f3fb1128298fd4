"""What :mod:`durably.logger` is made of."""
