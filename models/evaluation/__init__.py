"""How good a reconstruction is: cases with a known truth, measures, intervals, pictures."""
