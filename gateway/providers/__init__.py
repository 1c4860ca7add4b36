"""Where numbers come from: what a number provider offers, and the providers there are."""
