"""What the layers give together.

::

    factors    one ratio, with its evidence
    account    factors multiplied, each counted once
    evidence   which measurement of which record is which factor
"""

from cocodesign.codesign.account import Account, Product, multiply
from cocodesign.codesign.evidence import account_table, factors_of
from cocodesign.codesign.factors import Factor

__all__ = [
    "Account",
    "Factor",
    "Product",
    "account_table",
    "factors_of",
    "multiply",
]
