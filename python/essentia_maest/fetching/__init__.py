"""Public models brought from where they are published: whole, checked, and only once."""
