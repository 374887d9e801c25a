"""What players see of maps with fog, and what they remember of them."""
