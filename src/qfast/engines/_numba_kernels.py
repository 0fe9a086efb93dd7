"""Compiled kernels of the numba engine.

A step acts on amplitudes that differ only in the listed positions (targets and controls, ascending). *Group* g is a
choice of all other bits: its base index is g with a zero bit inserted at each position. A step touches, in every group,
the amplitudes base + offset for a few offsets, in which controls have their values.

The state comes as real numbers, re and im interleaved: on complex arrays LLVM does not vectorise these loops. Inner
loops run over unsigned ranges of contiguous slices for the same reason. No kernel is compiled with ``fastmath``, so
vector body and scalar tail round alike and the result does not depend on how threads share the groups.
"""

# mypy: allow-untyped-defs, allow-untyped-decorators
# (numba infers the types)

from __future__ import annotations

import numpy as np
from numba import uint64

from qfast.engines._numba_reading import jit, kernel

SCALE, SWAP, PAIR, DENSE, PERMUTE, TABLE, ROTATE = range(7)
"""Kinds of steps; `execute` says what each reads."""

CELL_QUBITS = 6  # entering a vector loop costs as much as ten scalar pairs: runs below 32 amplitudes go through cells
GATHERED = 2048  # amplitudes that a dense step gathers at a time, into 32 KiB; at least 32 columns
WIDTH = 256  # columns of a 4 x 4 matrix, whose loop is unrolled


@jit
def _base(group, positions):
    """Insert a zero bit at each position, ascending."""
    index = uint64(group)
    for k in range(positions.size):
        low = (uint64(1) << uint64(positions[k])) - uint64(1)
        index = ((index & ~low) << uint64(1)) | (index & low)
    return np.int64(index)


@jit
def _run_length(group, end, positions):
    """Groups from `group` on whose amplitudes are contiguous, up to `end`."""
    if positions.size == 0:
        return end - group
    run = np.int64(1) << np.int64(positions[0])
    return min(run - (group & (run - 1)), end - group)


@jit
def _short_runs(positions):
    return positions.size > 0 and positions[0] < CELL_QUBITS - 1


@jit
def _cell(positions, amplitudes):
    """Bases of all groups in a cell of up to 2**CELL_QUBITS amplitudes, the cell's size, and the positions above it.

    Where the lowest position is low, runs are short; a table of bases costs less per group than `interface`.
    """
    size = min(np.int64(1) << CELL_QUBITS, amplitudes)
    low = 0
    while low < positions.size and np.int64(1) << np.int64(positions[low]) < size:
        low += 1
    bases = np.empty(size >> low, np.int64)
    for j in range(bases.size):
        bases[j] = _base(j, positions[:low])
    return bases, size, positions[low:]


# --- 1 x 1 and 2 x 2 blocks -----------------------------------------------------------------------------------------


@jit
def _scale_run(x, re, im):
    for j in range(uint64(x.size >> 1)):
        xr, xi = x[2 * j], x[2 * j + 1]
        x[2 * j] = re * xr - im * xi
        x[2 * j + 1] = re * xi + im * xr


@jit
def _swap_run(x, y):
    for j in range(uint64(x.size)):
        x[j], y[j] = y[j], x[j]


@jit
def _pair_run(x, y, m):
    ar, ai, br, bi, cr, ci, dr, di = m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7]
    for j in range(uint64(x.size >> 1)):
        xr, xi, yr, yi = x[2 * j], x[2 * j + 1], y[2 * j], y[2 * j + 1]
        x[2 * j] = ar * xr - ai * xi + br * yr - bi * yi
        x[2 * j + 1] = ar * xi + ai * xr + br * yi + bi * yr
        y[2 * j] = cr * xr - ci * xi + dr * yr - di * yi
        y[2 * j + 1] = cr * xi + ci * xr + dr * yi + di * yr


@jit
def _real_pair_run(x, y, a, b, c, d):
    """A real 2 x 2 block mixes real parts and imaginary parts alike."""
    for j in range(uint64(x.size)):
        u, v = x[j], y[j]
        x[j] = a * u + b * v
        y[j] = c * u + d * v


@jit
def _adjacent_pairs(x, m):
    """Pairs of neighbours: a gate on qubit 0."""
    ar, ai, br, bi, cr, ci, dr, di = m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7]
    for j in range(uint64(x.size >> 2)):
        xr, xi, yr, yi = x[4 * j], x[4 * j + 1], x[4 * j + 2], x[4 * j + 3]
        x[4 * j] = ar * xr - ai * xi + br * yr - bi * yi
        x[4 * j + 1] = ar * xi + ai * xr + br * yi + bi * yr
        x[4 * j + 2] = cr * xr - ci * xi + dr * yr - di * yi
        x[4 * j + 3] = cr * xi + ci * xr + dr * yi + di * yr


@jit
def _scale(f, positions, offset, m, begin, end):
    re, im = m[0], m[1]
    if _short_runs(positions):
        bases, size, above = _cell(positions, f.size >> 1)
        for cell in range(begin // bases.size, end // bases.size):
            first = _base(cell * size, above) + offset
            for j in range(bases.size):
                i = 2 * (first + bases[j])
                xr, xi = f[i], f[i + 1]
                f[i] = re * xr - im * xi
                f[i + 1] = re * xi + im * xr
        return
    group = begin
    while group < end:
        length = _run_length(group, end, positions)
        i = 2 * (_base(group, positions) + offset)
        _scale_run(f[i : i + 2 * length], re, im)
        group += length


@jit
def _swap(f, positions, offset_x, offset_y, begin, end):
    if _short_runs(positions):
        bases, size, above = _cell(positions, f.size >> 1)
        for cell in range(begin // bases.size, end // bases.size):
            first = _base(cell * size, above)
            for j in range(bases.size):
                i, k = 2 * (first + bases[j] + offset_x), 2 * (first + bases[j] + offset_y)
                f[i], f[i + 1], f[k], f[k + 1] = f[k], f[k + 1], f[i], f[i + 1]
        return
    group = begin
    while group < end:
        length = _run_length(group, end, positions)
        base = _base(group, positions)
        i, k = 2 * (base + offset_x), 2 * (base + offset_y)
        _swap_run(f[i : i + 2 * length], f[k : k + 2 * length])
        group += length


@jit
def _pair(f, positions, offset_x, offset_y, m, begin, end):
    if positions.size == 1 and positions[0] == 0:
        _adjacent_pairs(f[4 * begin : 4 * end], m)
        return
    is_real = m[1] == 0 and m[3] == 0 and m[5] == 0 and m[7] == 0
    if _short_runs(positions):
        if is_real:
            _real_pair_cells(f, positions, offset_x, offset_y, m, begin, end)
        else:
            _pair_cells(f, positions, offset_x, offset_y, m, begin, end)
        return
    group = begin
    while group < end:
        length = _run_length(group, end, positions)
        base = _base(group, positions)
        i, k = 2 * (base + offset_x), 2 * (base + offset_y)
        if is_real:
            _real_pair_run(f[i : i + 2 * length], f[k : k + 2 * length], m[0], m[2], m[4], m[6])
        else:
            _pair_run(f[i : i + 2 * length], f[k : k + 2 * length], m)
        group += length


@jit
def _pair_cells(f, positions, offset_x, offset_y, m, begin, end):
    ar, ai, br, bi, cr, ci, dr, di = m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7]
    bases, size, above = _cell(positions, f.size >> 1)
    for cell in range(begin // bases.size, end // bases.size):
        first = _base(cell * size, above)
        for j in range(bases.size):
            i, k = 2 * (first + bases[j] + offset_x), 2 * (first + bases[j] + offset_y)
            xr, xi, yr, yi = f[i], f[i + 1], f[k], f[k + 1]
            f[i] = ar * xr - ai * xi + br * yr - bi * yi
            f[i + 1] = ar * xi + ai * xr + br * yi + bi * yr
            f[k] = cr * xr - ci * xi + dr * yr - di * yi
            f[k + 1] = cr * xi + ci * xr + dr * yi + di * yr


@jit
def _real_pair_cells(f, positions, offset_x, offset_y, m, begin, end):
    a, b, c, d = m[0], m[2], m[4], m[6]
    bases, size, above = _cell(positions, f.size >> 1)
    for cell in range(begin // bases.size, end // bases.size):
        first = _base(cell * size, above)
        for j in range(bases.size):
            i, k = 2 * (first + bases[j] + offset_x), 2 * (first + bases[j] + offset_y)
            xr, xi, yr, yi = f[i], f[i + 1], f[k], f[k + 1]
            f[i], f[i + 1] = a * xr + b * yr, a * xi + b * yi
            f[k], f[k + 1] = c * xr + d * yr, c * xi + d * yi


# --- larger blocks --------------------------------------------------------------------------------------------------


@jit
def _multiply_add(out_r, out_i, re, im, x_r, x_i):
    for j in range(uint64(out_r.size)):
        out_r[j] += re * x_r[j] - im * x_i[j]
        out_i[j] += re * x_i[j] + im * x_r[j]


@jit
def _gather_run(x, out_r, out_i):
    for j in range(uint64(x.size >> 1)):
        out_r[j] = x[2 * j]
        out_i[j] = x[2 * j + 1]


@jit
def _scatter_run(x, in_r, in_i):
    for j in range(uint64(x.size >> 1)):
        x[2 * j] = in_r[j]
        x[2 * j + 1] = in_i[j]


@jit
def _gather_cells(f, offset, bases, firsts, out_r, out_i):
    for cell in range(firsts.size):
        for j in range(bases.size):
            i = 2 * (firsts[cell] + bases[j] + offset)
            out_r[cell * bases.size + j], out_i[cell * bases.size + j] = f[i], f[i + 1]


@jit
def _scatter_cells(f, offset, bases, firsts, in_r, in_i):
    for cell in range(firsts.size):
        for j in range(bases.size):
            i = 2 * (firsts[cell] + bases[j] + offset)
            f[i], f[i + 1] = in_r[cell * bases.size + j], in_i[cell * bases.size + j]


@jit
def _multiply4(x, m):
    """Multiply a 4 x 4 matrix into the rows re0, im0, re1, im1, … of x, each WIDTH numbers, in one loop.

    One array and a constant width let LLVM see that nothing overlaps; a tuple is kept in registers.
    """
    w = (
        m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8], m[9], m[10], m[11], m[12], m[13], m[14], m[15],
        m[16], m[17], m[18], m[19], m[20], m[21], m[22], m[23], m[24], m[25], m[26], m[27], m[28], m[29], m[30], m[31],
    )  # fmt: skip
    for j in range(uint64(WIDTH)):
        ar, ai, br, bi = x[j], x[WIDTH + j], x[2 * WIDTH + j], x[3 * WIDTH + j]
        cr, ci, dr, di = x[4 * WIDTH + j], x[5 * WIDTH + j], x[6 * WIDTH + j], x[7 * WIDTH + j]
        x[j] = w[0] * ar - w[1] * ai + w[2] * br - w[3] * bi + w[4] * cr - w[5] * ci + w[6] * dr - w[7] * di
        x[WIDTH + j] = w[0] * ai + w[1] * ar + w[2] * bi + w[3] * br + w[4] * ci + w[5] * cr + w[6] * di + w[7] * dr
        x[2 * WIDTH + j] = (
            w[8] * ar - w[9] * ai + w[10] * br - w[11] * bi + w[12] * cr - w[13] * ci + w[14] * dr - w[15] * di
        )
        x[3 * WIDTH + j] = (
            w[8] * ai + w[9] * ar + w[10] * bi + w[11] * br + w[12] * ci + w[13] * cr + w[14] * di + w[15] * dr
        )
        x[4 * WIDTH + j] = (
            w[16] * ar - w[17] * ai + w[18] * br - w[19] * bi + w[20] * cr - w[21] * ci + w[22] * dr - w[23] * di
        )
        x[5 * WIDTH + j] = (
            w[16] * ai + w[17] * ar + w[18] * bi + w[19] * br + w[20] * ci + w[21] * cr + w[22] * di + w[23] * dr
        )
        x[6 * WIDTH + j] = (
            w[24] * ar - w[25] * ai + w[26] * br - w[27] * bi + w[28] * cr - w[29] * ci + w[30] * dr - w[31] * di
        )
        x[7 * WIDTH + j] = (
            w[24] * ai + w[25] * ar + w[26] * bi + w[27] * br + w[28] * ci + w[29] * cr + w[30] * di + w[31] * dr
        )


@jit
def _multiply(x, m, dim, y_r, y_i):
    """Multiply a matrix into rows re0, im0, re1, … of x, shape (2 dim, columns); row by row into y, then back."""
    for row in range(dim):
        y_r[row] = 0
        y_i[row] = 0
        for column in range(dim):
            k = 2 * (row * dim + column)
            if m[k] != 0 or m[k + 1] != 0:
                _multiply_add(y_r[row], y_i[row], m[k], m[k + 1], x[2 * column], x[2 * column + 1])
    for row in range(dim):
        x[2 * row] = y_r[row]
        x[2 * row + 1] = y_i[row]


@jit
def _dense(f, positions, offsets, m, begin, end):
    """Multiply a matrix into the amplitudes at `offsets`: gather some groups as columns, multiply, scatter."""
    dim = offsets.size
    in_cells = _short_runs(positions)
    bases, size, above = _cell(positions, f.size >> 1)
    columns = WIDTH if dim == 4 else max(1 << (CELL_QUBITS - 1), GATHERED // dim)
    x = np.zeros((2 * dim, columns), f.dtype)
    spare = 0 if dim == 4 else dim
    y_r, y_i = np.empty((spare, columns), f.dtype), np.empty((spare, columns), f.dtype)
    firsts = np.empty(columns, np.int64)
    group = begin
    while group < end:
        if in_cells:
            width = min(columns // bases.size * bases.size, end - group)
            cells = width // bases.size
            for cell in range(cells):
                firsts[cell] = _base((group // bases.size + cell) * size, above)
        else:
            width, cells = min(columns, _run_length(group, end, positions)), 1
            firsts[0] = _base(group, positions)
        for row in range(dim):
            if in_cells:
                _gather_cells(f, offsets[row], bases, firsts[:cells], x[2 * row], x[2 * row + 1])
            else:
                i = 2 * (firsts[0] + offsets[row])
                _gather_run(f[i : i + 2 * width], x[2 * row], x[2 * row + 1])
        if dim == 4:
            _multiply4(x.reshape(x.size), m)
        else:
            _multiply(x, m, dim, y_r, y_i)
        for row in range(dim):
            if in_cells:
                _scatter_cells(f, offsets[row], bases, firsts[:cells], x[2 * row], x[2 * row + 1])
            else:
                i = 2 * (firsts[0] + offsets[row])
                _scatter_run(f[i : i + 2 * width], x[2 * row], x[2 * row + 1])
        group += width


@jit
def _permute(f, positions, offsets, images, begin, end):
    """Move the amplitude at offsets[i] to offsets[images[i]] in every group."""
    moved = np.empty(2 * offsets.size, f.dtype)
    for group in range(begin, end):
        base = _base(group, positions)
        for i in range(offsets.size):
            k = 2 * (base + offsets[i])
            moved[2 * i], moved[2 * i + 1] = f[k], f[k + 1]
        for i in range(offsets.size):
            k = 2 * (base + offsets[images[i]])
            f[k], f[k + 1] = moved[2 * i], moved[2 * i + 1]


@jit
def _table(f, positions, offset, targets, m, begin, end):
    """Multiply by m[bits of the index at `targets`] where the controls, the `positions`, hold."""
    for group in range(begin, end):
        i = _base(group, positions) + offset
        row = np.int64(0)
        for k in range(targets.size):
            row |= (i >> targets[k] & 1) << k
        re, im, xr, xi = m[2 * row], m[2 * row + 1], f[2 * i], f[2 * i + 1]
        f[2 * i] = re * xr - im * xi
        f[2 * i + 1] = re * xi + im * xr


@jit
def _odd(value):
    """Parity of the set bits. (Not shared with the other file: numba's cache sees changes in one file only.)"""
    for shift in (32, 16, 8, 4, 2, 1):
        value ^= value >> shift
    return value & 1


@jit
def _rotate(f, positions, offset, x_mask, z_mask, m, begin, end):
    """cos - i sin P on pairs (i, i ^ x_mask), or on single amplitudes where x_mask is 0.

    m = (cos, re, im) with re + i·im = -i sin · i^(number of Y): what P's entry is multiplied by, up to the sign
    (-1)^parity(source & z_mask). For x_mask ≠ 0 its lowest bit is among the positions.
    """
    cos, re, im = m[0], m[1], m[2]
    for group in range(begin, end):
        i = _base(group, positions) + offset
        k = i ^ x_mask
        to_i, to_k = (-1 if _odd(k & z_mask) else 1), (-1 if _odd(i & z_mask) else 1)
        xr, xi, yr, yi = f[2 * i], f[2 * i + 1], f[2 * k], f[2 * k + 1]
        f[2 * i] = cos * xr + to_i * (re * yr - im * yi)
        f[2 * i + 1] = cos * xi + to_i * (re * yi + im * yr)
        if x_mask != 0:
            f[2 * k] = cos * yr + to_k * (re * xr - im * xi)
            f[2 * k + 1] = cos * yi + to_k * (re * xi + im * xr)


# --- steps ----------------------------------------------------------------------------------------------------------


@jit
def _apply_step(f, kind, positions, offsets, integers, m, begin, end):
    if kind == SCALE:
        _scale(f, positions, offsets[0], m, begin, end)
    elif kind == SWAP:
        _swap(f, positions, offsets[0], offsets[1], begin, end)
    elif kind == PAIR:
        _pair(f, positions, offsets[0], offsets[1], m, begin, end)
    elif kind == DENSE:
        _dense(f, positions, offsets, m, begin, end)
    elif kind == PERMUTE:
        _permute(f, positions, offsets, integers, begin, end)
    elif kind == TABLE:
        _table(f, positions, offsets[0], integers, m, begin, end)
    else:
        _rotate(f, positions, offsets[0], integers[0], integers[1], m, begin, end)


@jit
def _column(values, ends, step):
    return values[(ends[step - 1] if step else 0) : ends[step]]


@jit
def _share(groups, part, parts):
    """First group of a part; parts begin at whole cells."""
    if part == parts:
        return groups
    cell = np.int64(1) << CELL_QUBITS
    return groups * part // parts // cell * cell


@kernel
def execute(f, kinds, position_end, positions, offset_end, offsets, integer_end, integers, number_end, numbers,
            first, last, part, parts):  # fmt: skip
    """Apply steps [first, last), this caller's share of the groups in each.

    Parameters
    ----------
    f : ndarray of float32 or float64, shape (2 * 2**n,)
    kinds, …_end, … : ndarrays
        The steps' columns, ragged as in a flat circuit. `integers` holds: PERMUTE the images, TABLE the targets, ROTATE
        the X and Z masks. `numbers` holds: SCALE one complex number, PAIR and DENSE a matrix, TABLE one complex number
        per row, ROTATE three reals.
    part, parts : int
        With more than one part, last = first + 1: steps must not overtake each other.
    """
    amplitudes = f.size >> 1
    for step in range(first, last):
        step_positions = _column(positions, position_end, step)
        groups = amplitudes >> step_positions.size
        _apply_step(
            f, kinds[step], step_positions, _column(offsets, offset_end, step), _column(integers, integer_end, step),
            _column(numbers, number_end, step), _share(groups, part, parts), _share(groups, part + 1, parts),
        )  # fmt: skip


@kernel
def execute_tiles(f, kinds, position_end, positions, offset_end, offsets, integer_end, integers, number_end, numbers,
                  first, last, tile_qubits, part, parts):  # fmt: skip
    """Apply steps [first, last), all local to tiles of 2**tile_qubits amplitudes, tile by tile: a tile stays in cache.

    A step is local when its offsets agree in all bits from `tile_qubits` on: those bits, at its positions, only say
    which tiles take part.
    """
    size = np.int64(1) << tile_qubits
    tiles = (f.size >> 1) >> tile_qubits
    for tile in range(tiles * part // parts, tiles * (part + 1) // parts):
        begin = tile * size
        slab = f[2 * begin : 2 * (begin + size)]
        for step in range(first, last):
            all_positions = _column(positions, position_end, step)
            step_offsets = _column(offsets, offset_end, step)
            low, takes_part = 0, True
            for k in range(all_positions.size):
                if all_positions[k] < tile_qubits:
                    low += 1
                else:
                    bit = np.int64(1) << np.int64(all_positions[k])
                    takes_part &= (begin & bit) == (step_offsets[0] & bit)
            if takes_part:
                _apply_step(
                    slab, kinds[step], all_positions[:low], step_offsets & (size - 1),
                    _column(integers, integer_end, step), _column(numbers, number_end, step), 0, size >> low,
                )  # fmt: skip
