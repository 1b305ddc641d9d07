"""What scores are worth: noise ceilings, permutations, confidence, paired tests."""
