"""What the decoded video loses when sites are taken away."""
