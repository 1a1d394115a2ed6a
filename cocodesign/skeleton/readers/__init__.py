"""Readers of skeleton files in their original formats, one module each."""
