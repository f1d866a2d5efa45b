"""What reads which audio file right: files of every kind, decoders side by side."""
