"""Universes, and permissions in them."""
