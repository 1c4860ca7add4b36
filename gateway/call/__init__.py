"""Call control: one call, either direction, from its first message to its one ending."""
