"""Linear operators: Fourier transforms, sampling, sensitivities, finite differences, wavelets, low rank."""
