"""Videos never shown, found and made through a model of each site's response."""
