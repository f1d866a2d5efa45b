"""Audio files to mono samples at 16 kHz."""
