"""The parts of the paper's recipe, each a small thing of its own."""
