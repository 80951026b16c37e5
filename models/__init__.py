"""The numerics: arrays in, arrays out. Nothing here sees a socket or imports another room of ours."""
