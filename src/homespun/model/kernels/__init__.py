"""The same mathematics as the layers', arranged so that it is fast: each kernel here has its plain form next to it.

A kernel is one `torch.autograd.Function` with its own backward pass. It keeps less for that pass than autograd would,
and works in pieces that stay in the processor's cache. Under `torch.compile` the plain forms are used: the compiler
arranges them itself, and would unroll the loops here.
"""
