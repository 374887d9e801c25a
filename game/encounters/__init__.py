"""Encounters: who takes part, in what order, and whose turn it is."""
