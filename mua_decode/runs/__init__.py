"""What a run is: its config, its folder, its network, and how it is trained."""
