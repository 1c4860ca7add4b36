"""Recordings of calls: written by one thread, kept in a store behind a small seam."""
