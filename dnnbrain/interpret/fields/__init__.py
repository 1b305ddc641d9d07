"""Receptive fields, by rule and by measurement: occlusion, activation maps, what a unit can see."""
