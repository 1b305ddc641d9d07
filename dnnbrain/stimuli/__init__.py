"""What is shown: tables of stimuli, and the pictures and frames they name."""
