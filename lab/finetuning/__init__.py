"""What fine-tuning is worth, and what it costs, on real music that no model here has heard."""
