def surroundings(seed, only, root):
    return []
