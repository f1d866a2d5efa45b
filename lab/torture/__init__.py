"""What the product is to withstand, done to it: `python -m lab torture`."""
