"""Classical reconstruction: SENSE, GRAPPA, compressed sensing, partial Fourier, deep image prior."""
