"""Streams of queries served, by the model and on the RTL."""
