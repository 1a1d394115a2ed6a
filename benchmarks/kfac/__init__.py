"""K-FAC beside everything a user of PyTorch could take instead.

::

    protocol   what is fixed before anything is measured
    target     finds the target accuracy, from first-order optimizers alone
    adapters   peers behind the interface of ``torch.optim.Optimizer``
    peers      their settings
    step_time  what a step costs
    ablation   what K-FAC's own settings change
    __main__   the benchmark
"""
