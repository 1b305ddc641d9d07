"""Import paths of DNNBrain 1.0: util."""
