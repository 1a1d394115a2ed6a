"""Predicting one bit from several adaptive models, in integers.

Each model is a *slot*: a probability with the number of times it was used. The slots'
predictions are mixed in the logistic domain by weights that learn while coding
(Mahoney 2005, Florida Institute of Technology report CS-2005-16, Sections 3.2 to 3.4).
Two sets of weights, chosen by two selectors, vote with equal voice.

Added here: a slot's vote is scaled by how often it was used, so that a tensor of a few
hundred weights is not drowned by untrained models.
"""

from typing import NamedTuple, no_type_check

import numpy as np
from numba import njit

from cocodesign.compression.binary_coder import NUM_FIELDS, code_bit
from cocodesign.compression.logistic import STRETCH_LIMIT, squash_table, stretch_table

MAX_INPUTS = 16
"""Most models that one bit is predicted from."""

_SQUASH = squash_table()
_STRETCH = stretch_table()

# A slot is probability (22 bits) and count (10 bits). With count n it moves by
# 1/(n + 1.6) of the way, close to Krichevsky and Trofimov's estimate.
_SLOT_START = (1 << 21) << 10
_COUNT_MASK = 1023
_RATE = np.array([(65536 * 5) // (5 * n + 8) for n in range(1024)], np.int64)
_CONFIDENCE = np.array([(256 * n) // (n + 2) for n in range(1024)], np.int64)
_WEIGHT_START = 7_000  # of 65,536, so that the sum of several votes exceeds one

# The fields of ``Mixer.choice``.
_SET_A, _SET_B, _P_A, _P_B = range(4)


class Mixer(NamedTuple):
    """The state of a predictor and of the coder it drives; all arrays int64.

    Attributes:
        coder: State of the binary coder.
        slots: Probability and count of every model in every context.
        chosen: The slots that predict the next bit.
        limits: Count at which a slot stops slowing down, by position in ``chosen``.
        inputs: The slots' votes.
        weights: Mixing weights, ``MAX_INPUTS`` per set.
        uses: How often each set was used.
        choice: The two sets that mix the next bit, and what each predicted.
    """

    coder: np.ndarray
    slots: np.ndarray
    chosen: np.ndarray
    limits: np.ndarray
    inputs: np.ndarray
    weights: np.ndarray
    uses: np.ndarray
    choice: np.ndarray


@njit(cache=True, nogil=True)
@no_type_check
def make_mixer(num_slots, num_sets):
    """Return a mixer that knows nothing."""
    return Mixer(
        np.zeros(NUM_FIELDS, np.int64),
        np.full(num_slots, _SLOT_START, np.int64),
        np.zeros(MAX_INPUTS, np.int64),
        np.full(MAX_INPUTS, 1023, np.int64),
        np.zeros(MAX_INPUTS, np.int64),
        np.full(num_sets * MAX_INPUTS, _WEIGHT_START, np.int64),
        np.zeros(num_sets, np.int64),
        np.zeros(4, np.int64),
    )


@njit(cache=True, nogil=True)
@no_type_check
def code_mixed_bit(mixer, buffer, bit, num_inputs):
    """Predict a bit from the slots at ``mixer.chosen``, code it, learn from it."""
    chosen, inputs, weights = mixer.chosen, mixer.inputs, mixer.weights
    slots, choice = mixer.slots, mixer.choice
    a = choice[_SET_A] * MAX_INPUTS
    b = choice[_SET_B] * MAX_INPUTS
    dot_a = 0
    dot_b = 0
    for j in range(num_inputs):
        slot = slots[chosen[j]]
        vote = (np.int64(_STRETCH[slot >> 16]) * _CONFIDENCE[slot & _COUNT_MASK]) >> 8
        inputs[j] = vote
        dot_a += weights[a + j] * vote
        dot_b += weights[b + j] * vote
    dot_a = min(max(dot_a >> 16, -STRETCH_LIMIT), STRETCH_LIMIT)
    dot_b = min(max(dot_b >> 16, -STRETCH_LIMIT), STRETCH_LIMIT)
    choice[_P_A] = _SQUASH[dot_a + STRETCH_LIMIT]
    choice[_P_B] = _SQUASH[dot_b + STRETCH_LIMIT]
    p = np.int64(_SQUASH[((dot_a + dot_b) >> 1) + STRETCH_LIMIT])
    bit = code_bit(mixer.coder, buffer, bit, p)
    _learn(mixer, bit, num_inputs)
    return bit


@njit(cache=True, nogil=True)
@no_type_check
def forget_slots(mixer, first, end):
    """Let the slots from ``first`` up to ``end`` know nothing again."""
    mixer.slots[first:end] = _SLOT_START


@njit(cache=True, nogil=True)
@no_type_check
def _learn(mixer, bit, num_inputs):
    """Move weights and slots towards what happened."""
    chosen, inputs, weights = mixer.chosen, mixer.inputs, mixer.weights
    slots, choice, uses, limits = mixer.slots, mixer.choice, mixer.uses, mixer.limits
    for which in range(2):
        key = choice[which]
        rate = 1 + 60 * 512 // (512 + uses[key])
        uses[key] += 1
        error = ((bit << 16) - choice[2 + which]) * rate
        first = key * MAX_INPUTS
        for j in range(num_inputs):
            weights[first + j] += (inputs[j] * error + (1 << 19)) >> 20
    target = ((1 << 22) - 1) * bit
    for j in range(num_inputs):
        slot = slots[chosen[j]]
        count = slot & _COUNT_MASK
        p = slot >> 10
        p += ((target - p) * _RATE[count]) >> 16
        if count < limits[j]:
            count += 1
        slots[chosen[j]] = (p << 10) | count
