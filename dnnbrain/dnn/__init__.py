"""Import paths of DNNBrain 1.0: core, models, base."""
