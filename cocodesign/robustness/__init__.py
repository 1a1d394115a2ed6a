"""Networks that are hard to fool, also when they are small.

::

    ball                  how far a picture may be changed
    losses                what an attack drives up
    attacks               what attacks have in common
    gradient_attacks      ``FGSM``, ``PGD``
    adaptive_attack       ``APGD``: its own step sizes
    square_attack         ``Square``: no gradients
    evaluation            ``attack_all``: every picture's worst case
    masking               ``check_masking``: hidden gradients are not robustness
    defences              losses of adversarial training
    hardening             training, pruning scores and few values, under attack

Source: Wijayanto, Choong, Madhawa & Murata, "Towards Robust Compressed Convolutional
Neural Networks" (BigComp 2019), whose abstract says that compressed models are more
robust than compact ones, and that compression which knows the adversary reaches 90x.
"""

from cocodesign.robustness.adaptive_attack import APGD
from cocodesign.robustness.ball import Ball
from cocodesign.robustness.defences import AdversarialTraining, Trades
from cocodesign.robustness.evaluation import attack_all
from cocodesign.robustness.gradient_attacks import FGSM, PGD
from cocodesign.robustness.square_attack import Square

__all__ = [
    "APGD",
    "FGSM",
    "PGD",
    "AdversarialTraining",
    "Ball",
    "Square",
    "Trades",
    "attack_all",
]
