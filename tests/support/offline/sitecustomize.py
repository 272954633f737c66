"""Read by every Python that a test starts, kernels of notebooks among them."""

from no_network import block

block()
