"""Scores of a decoder, trial by trial and averaged, whatever question is asked of them."""
