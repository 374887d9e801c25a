"""Tokens: pieces that move on maps in play."""
