"""Universes, and who may do what in them."""
