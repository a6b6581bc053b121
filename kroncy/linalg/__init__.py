"""Dense kernels that more than one flow uses."""
