"""Rolls of dice: who rolled what, who sees it, and the proof that it was fair."""
