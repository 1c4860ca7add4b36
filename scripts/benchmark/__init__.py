"""The benchmark: the gateway under load beside the floor of a loop that only relays (`scripts/bench`)."""
