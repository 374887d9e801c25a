"""Encounters: combatants, their order, and whose turn it is."""
