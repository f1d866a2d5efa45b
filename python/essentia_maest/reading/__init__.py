"""What a model file says of itself: its description, its labels, and where shipped ones lie."""
