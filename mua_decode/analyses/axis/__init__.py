"""One code for seeing and imagining: axes of sites, images read back, imagery on the same axes."""
