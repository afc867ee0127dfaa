"""The matrix product for other modules: see gemm.pyx."""

from libc.stdint cimport int64_t


# c[m, n] = (c +) a @ b + biases, strides in floats; `how` 1 adds to c. Needs the GIL (it borrows scratch and opens a
# parallel region).
cdef int gemm(
    int64_t m, int64_t n, int64_t k,
    const float *a, int64_t a_row, int64_t a_col,
    const float *b, int64_t b_row, int64_t b_col,
    float *c, int64_t c_row,
    const float *row_bias, const float *col_bias,
    int how,
) except -1
