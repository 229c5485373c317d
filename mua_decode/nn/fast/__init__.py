"""The same layers, faster: exact identities, compiled kernels, and the route a network takes."""
