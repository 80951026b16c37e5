"""Studies: what is measured of reconstructions over many slices, and the conditions that it must meet."""
