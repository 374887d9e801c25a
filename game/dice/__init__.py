"""Dice: the notation, the evaluation, and the drawing of dice. Pure: no database, no HTTP.

docs/dice.md has the grammar and the rules for drawing dice.
"""
