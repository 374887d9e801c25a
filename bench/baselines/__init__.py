"""What people would pick instead, each written the way its own documentation teaches."""
