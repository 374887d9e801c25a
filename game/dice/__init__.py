"""Dice: the notation of rolls, what they come to, and how they are drawn. Pure: no database, no HTTP.

docs/dice.md has the grammar and the rules for drawing dice.
"""
