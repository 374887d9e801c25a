"""The alternatives, each written as its own documentation recommends."""
