"""Dice: the notation of rolls, what they come to, and how they are drawn. Pure: no database, no HTTP.

The grammar and the rules of drawing stand in docs/dice.md.
"""
