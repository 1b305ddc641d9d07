"""Minimal pictures: the fewest parcels, components, or the smallest region that suffice."""
