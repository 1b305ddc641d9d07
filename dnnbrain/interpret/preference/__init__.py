"""What stored or shown stimuli say of units: the best ones, and selectivity."""
