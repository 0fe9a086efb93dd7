"""Compiled kernels of the numba engine that read a state, and its random numbers.

Sums are taken per block of 4096 amplitudes and then in a fixed tree, so that they do not depend on how threads share
the blocks.
"""

# mypy: allow-untyped-defs, allow-untyped-decorators
# (numba infers the types)

from __future__ import annotations

import math

import numpy as np
from numba import njit, uint64

BLOCK = 4096  # amplitudes of a partial sum; the tree of sums hangs on this

kernel = njit(nogil=True, cache=True, error_model="numpy")  # called from Python; the compiled code is kept on disk
jit = njit(nogil=True, error_model="numpy")  # called by kernels, and compiled into them


@jit
def _odd(value):
    """Parity of the set bits."""
    for shift in (32, 16, 8, 4, 2, 1):
        value ^= value >> shift
    return value & 1


@kernel
def block_weights(f, out, begin, end):
    """Write the sum of |amplitude|² of blocks [begin, end)."""
    for block in range(begin, end):
        total = 0.0
        first = 2 * BLOCK * block
        for i in range(first, min(first + 2 * BLOCK, f.size)):
            total += np.float64(f[i]) * np.float64(f[i])
        out[block] = total


@kernel
def block_inner_products(a, b, out, begin, end):
    """Write Σ conj(a) b of blocks [begin, end)."""
    for block in range(begin, end):
        re = im = 0.0
        first = 2 * BLOCK * block
        for i in range(first, min(first + 2 * BLOCK, a.size), 2):
            ar, ai, br, bi = np.float64(a[i]), np.float64(a[i + 1]), np.float64(b[i]), np.float64(b[i + 1])
            re += ar * br + ai * bi
            im += ar * bi - ai * br
        out[block] = complex(re, im)


@kernel
def block_paulis(bra, ket, x_mask, z_masks, out, begin, end):
    """Write Σ conj(bra[j ^ x]) (-1)^parity(j & z) ket[j] of blocks [begin, end), out of shape (blocks, masks)."""
    size = ket.size >> 1
    for block in range(begin, end):
        out[block] = 0
        for j in range(BLOCK * block, min(BLOCK * (block + 1), size)):
            k = j ^ x_mask
            ar, ai = np.float64(bra[2 * k]), np.float64(bra[2 * k + 1])
            br, bi = np.float64(ket[2 * j]), np.float64(ket[2 * j + 1])
            product = complex(ar * br + ai * bi, ar * bi - ai * br)
            for t in range(z_masks.size):
                out[block, t] += -product if _odd(j & z_masks[t]) else product


@kernel
def block_apply(f, out, x_mask, z_masks, weights, begin, end):
    """Add Σ weight (-1)^parity(j & z) ψ[j] to out[j ^ x] for the j ^ x of blocks [begin, end)."""
    size = f.size >> 1
    for k in range(BLOCK * begin, min(BLOCK * end, size)):
        j = k ^ x_mask
        re = im = 0.0
        for t in range(z_masks.size):
            sign = -1.0 if _odd(j & z_masks[t]) else 1.0
            re += sign * weights[t].real
            im += sign * weights[t].imag
        ar, ai = np.float64(f[2 * j]), np.float64(f[2 * j + 1])
        out[2 * k] += re * ar - im * ai
        out[2 * k + 1] += re * ai + im * ar


@kernel
def block_probabilities(f, qubits, out, begin, end):
    """Write the distribution of `qubits` within blocks [begin, end), out of shape (blocks, 2**len(qubits))."""
    size = f.size >> 1
    per_block = size // out.shape[0]
    for block in range(begin, end):
        out[block] = 0
        for j in range(per_block * block, per_block * (block + 1)):
            row = 0
            for k in range(qubits.size):
                row |= (j >> qubits[k] & 1) << k
            re, im = np.float64(f[2 * j]), np.float64(f[2 * j + 1])
            out[block, row] += re * re + im * im


@kernel
def find_in_blocks(f, order, block_begin, targets, before, out, begin, end):
    """Invert the cumulative distribution inside blocks [begin, end).

    Parameters
    ----------
    order : ndarray of int64
        Shots, those of one block together; block b owns order[block_begin[b]:block_begin[b + 1]].
    targets : ndarray of float64
        Per shot: the cumulative weight to exceed.
    before : ndarray of float64
        Per block: the cumulative weight of all blocks before it.
    """
    size = f.size >> 1
    cumulative = np.empty(BLOCK, np.float64)
    for block in range(begin, end):
        if block_begin[block] == block_begin[block + 1]:
            continue
        first = BLOCK * block
        width = min(BLOCK, size - first)
        total = before[block]
        last = 0
        for i in range(width):
            re, im = np.float64(f[2 * (first + i)]), np.float64(f[2 * (first + i) + 1])
            weight = re * re + im * im
            total += weight
            cumulative[i] = total
            if weight > 0:
                last = i
        for position in range(block_begin[block], block_begin[block + 1]):
            shot = order[position]
            found = np.searchsorted(cumulative[:width], targets[shot], side="right")
            out[shot] = first + min(found, last)  # rounding may put a target past the block's end


@kernel
def group_by_block(blocks, block_begin, order):
    """Order shots by block, stably; block_begin has one entry per block and one more."""
    for shot in range(blocks.size):
        block_begin[blocks[shot] + 1] += 1
    for block in range(block_begin.size - 1):
        block_begin[block + 1] += block_begin[block]
    cursor = block_begin.copy()
    for shot in range(blocks.size):
        order[cursor[blocks[shot]]] = shot
        cursor[blocks[shot]] += 1


@kernel
def philox_uniforms(seed, first_shot, site, out, begin, end):
    """Write the uniforms of shots first_shot + [begin, end); see `qfast.engines.philox`."""
    mask, shift = uint64(0xFFFFFFFF), uint64(32)
    for i in range(begin, end):
        shot = uint64(first_shot + i)
        c0, c1, c2, c3 = shot & mask, shot >> shift, uint64(site) & mask, uint64(site) >> shift
        k0, k1 = uint64(seed) & mask, uint64(seed) >> shift
        for _ in range(10):
            p0, p1 = c0 * uint64(0xD2511F53), c2 * uint64(0xCD9E8D57)
            c0, c1, c2, c3 = (p1 >> shift) ^ c1 ^ k0, p1 & mask, (p0 >> shift) ^ c3 ^ k1, p0 & mask
            k0, k1 = (k0 + uint64(0x9E3779B9)) & mask, (k1 + uint64(0xBB67AE85)) & mask
        mantissa = (c0 >> uint64(5)) * uint64(1 << 26) + (c1 >> uint64(6))
        out[i] = np.float64(mantissa) * 2.0**-53


def blocks_of(amplitudes: int) -> int:
    """Number of blocks of a state."""
    return math.ceil(amplitudes / BLOCK)
