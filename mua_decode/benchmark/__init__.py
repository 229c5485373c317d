"""How fast, how large, and how near the arithmetic floor: the plain writing beside ours."""
