"""The dialects that agent runtimes speak, without I/O."""
