"""Rolls of dice: rolls, who sees them, and the proof that they were fair."""
