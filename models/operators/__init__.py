"""Linear operators: Fourier transform, sampling, sensitivities, finite differences, wavelets, low rank."""
