"""The kernel table for Cython: K points at the chosen one. Signatures as in kernels.def."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t


cdef extern from "kernels.h" nogil:
    ctypedef struct Pool2d:
        int64_t n, c, h, w, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, oh, ow, count_pad "include", divisor

    ctypedef struct Update:
        float lr, sign, decay, keep, keep1, fresh1, keep2, fresh2, eps, size1, size2, scale
        int first, nesterov

    ctypedef void (*update_step)(int64_t n, float *p, const float *g, float **state, const Update *u) noexcept nogil

    int NORM_CHANNELS

    ctypedef struct Norm:
        int64_t images, channels, h, w
        const float *x
        const float *mean
        const float *invstd
        const float *weight
        const float *bias
        const float *residual
        const float *g
        const float *y
        const uint8_t *taps
        float *out
        float *inner
        uint8_t *found

    ctypedef struct NormPart:
        int64_t image, images, channel, channels, column, n

    ctypedef void (*norm_planes)(const Norm *q, int64_t first, int64_t last, int64_t column, int64_t n) noexcept nogil
    ctypedef void (*norm_reduction)(const Norm *q, const NormPart *p, double *sum, double *products) noexcept nogil
    ctypedef void (*norm_gradient)(const Norm *q, const NormPart *p, const float *factors) noexcept nogil

    ctypedef struct Conv2d:
        int64_t n, c, h, w, o, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, groups, uh, uw, oh, ow

    ctypedef struct Tiles:
        int64_t row, rows, col, cols, whole_rows, whole_cols, image, images

    ctypedef struct Runs:
        const float *at
        int64_t step, runs

    ctypedef struct Stage:
        int64_t h, w, top, left, sh, sw, rows_apart, columns_apart, height, width

    int64_t staged_height(const Conv2d *q)
    int64_t staged_width(const Conv2d *q)

    ctypedef struct KernelTable:
        const char *isa
        int mr
        int nr
        int lanes
        int strip
        # gemm.c
        void (*gemm_tile)(int64_t rows, int64_t cols, int64_t k, const float *a, const float *b, int64_t ldb,
                          float *c, int64_t ldc, const float *row_bias, const float *col_bias,
                          int accumulate) noexcept nogil
        void (*sum_columns)(const float *g, int64_t rows, int64_t cols, int64_t ld, float *sums) noexcept nogil
        double (*sum_run)(const float *x, const float *y, int64_t n) noexcept nogil
        # direct.c
        void (*direct_tile)(int64_t rows, int64_t vectors, int64_t k, const float *a, const float *image,
                            const int64_t *offsets, const int64_t *at, const int64_t *to, int64_t lanes, float *c,
                            int64_t ldc, const float *bias, int relu) noexcept nogil
        void (*across_tile)(int64_t rows, int64_t cols, int64_t k, const float *image, const int64_t *offsets,
                            const float *w, float *c, int64_t ldc, const float *bias, int relu) noexcept nogil
        void (*store_columns)(int64_t rows, int64_t cols, const float *tile, int64_t ld, float *c, int64_t ldc,
                              const float *bias, int relu) noexcept nogil
        # pack.c
        void (*pack_columns)(float *panel, int width, const float *src, int64_t ld, int64_t count,
                             int64_t k) noexcept nogil
        void (*pack_weights)(float *panel, int width, const float *w, int64_t step, const int64_t *places,
                             int64_t count, int64_t k) noexcept nogil
        void (*stage_plane)(const Stage *q, const float *x, float *plane) noexcept nogil
        void (*weave_plane)(int64_t rows, int64_t columns, int64_t sh, int64_t sw, const float *planes, int64_t apart,
                            float *y) noexcept nogil
        void (*pack_patches)(float *panel, int64_t pitch, const float *image, const float *end, int64_t width,
                             const int64_t *offsets, int64_t ow, int64_t k, int64_t pixel, int64_t count) noexcept nogil
        void (*pack_windows)(float *panel, const Conv2d *q, const float *image, const float *end, int64_t k0,
                             int64_t count, int64_t pixel, int64_t k) noexcept nogil
        # product.c
        void (*transpose_strip)(float *strip, const float *b, int64_t ldb, int64_t cols, int64_t k) noexcept nogil
        void (*gemm_strip)(int64_t rows, int64_t cols, int64_t k, const float *a, int64_t a_row, int64_t a_col,
                           const float *b, int64_t ldb, float *packed, float *c, int64_t ldc,
                           const float *row_bias, const float *col_bias, int how) noexcept nogil
        void (*gemm_parts)(const float *parts, int64_t count, int64_t step, int64_t rows, int64_t cols, float *c,
                           int64_t ldc, const float *row_bias, const float *col_bias, int how) noexcept nogil
        void (*gemm_dot)(int64_t rows, int64_t cols, int64_t k, const float *a, int64_t lda, const float *b,
                         int64_t ldb, float *c, int64_t c_row, int64_t c_col, const float *row_bias,
                         const float *col_bias, int how) noexcept nogil
        # window.c
        void (*window_sums)(const Conv2d *q, int64_t cols, const float *x, int64_t width, const float *g, int64_t rows,
                            float *sums) noexcept nogil
        void (*row_dots)(int64_t rows, int64_t lines, int64_t ow, const float *g, int64_t plane, const float *x,
                         int64_t width, const int64_t *offsets, int64_t taps, float *sums) noexcept nogil
        void (*sum_vectors)(const float *vectors, int64_t n, float *sums) noexcept nogil
        void (*sum_window_parts)(const float *parts, int64_t count, int64_t step, int64_t taps, int64_t cols, float *dw,
                                 int64_t ldw) noexcept nogil
        # depthwise.c
        void (*depthwise_planes)(const Conv2d *q, int64_t first, int64_t last, int64_t pairs, int64_t fan, int back,
                                 const float *x, const float *w, const float *bias, int relu, float *y) noexcept nogil
        void (*depthwise_spread)(const Conv2d *q, int64_t first, int64_t last, const float *g, const float *w,
                                 float *dx) noexcept nogil
        void (*depthwise_weight_sums)(const Conv2d *q, int64_t first, int64_t last, const float *x, const float *g,
                                      float *sums) noexcept nogil
        # unfold.c
        void (*unfold_plane)(const Conv2d *q, const float *x, float *rows) noexcept nogil
        void (*fold_plane)(const Conv2d *q, const float *rows, float *x) noexcept nogil
        # local.c
        void (*local_patches)(const Conv2d *q, int64_t images, int64_t first, int64_t count, const float *x,
                              float *panel, int64_t pitch) noexcept nogil
        void (*local_add_patches)(const Conv2d *q, int64_t images, int64_t channel, int64_t channels, int64_t first,
                                  int64_t count, const float *panel, int64_t pitch, float *dx) noexcept nogil
        void (*local_pack)(int64_t rows, int64_t terms, int64_t count, const float *a, int64_t a_row, int64_t a_term,
                           float *panel, int64_t pitch) noexcept nogil
        void (*local_products)(int64_t rows, int64_t cols, int64_t count, int64_t terms, const float *a,
                               int64_t a_row, const float *b, int64_t b_col, int64_t b_term, float *c, int64_t c_row,
                               int64_t c_col, const float *bias, int64_t bias_row, int accumulate) noexcept nogil
        # winograd.c
        void (*winograd4_input)(const Conv2d *q, const float *x, int64_t channels, const Tiles *t, float *stage,
                                float *v, int64_t step) noexcept nogil
        void (*winograd2_input)(const Conv2d *q, const float *x, int64_t channels, const Tiles *t, float *stage,
                                float *v, int64_t step) noexcept nogil
        void (*winograd4_weights)(const float *w, int64_t out_step, int64_t in_step, int rotated, int64_t outs,
                                  int64_t channels, float *u, int64_t step) noexcept nogil
        void (*winograd2_weights)(const float *w, int64_t out_step, int64_t in_step, int rotated, int64_t outs,
                                  int64_t channels, float *u, int64_t step) noexcept nogil
        # winograd_tiles.c; products in winograd_output.c
        void (*winograd_tiles_input)(const Conv2d *q, const float *x, int64_t image, int64_t first, int64_t across,
                                     int64_t vectors, float *v, int64_t step, int64_t pair) noexcept nogil
        void (*winograd_tiles_products)(int64_t vectors, int64_t channels, int64_t outs, const float *v, int64_t v_step,
                                        const float *u, int64_t u_step, float *m, int64_t m_step) noexcept nogil
        void (*winograd_tiles_output)(const Conv2d *q, int64_t first, int64_t across, int64_t vectors, const float *m,
                                      int64_t step, int64_t pair, int64_t outs, const float *bias, const float *added,
                                      int relu, float *y, int64_t image) noexcept nogil
        # winograd_stride.c
        void (*winograd_stride_input)(int back, const Conv2d *q, const float *x, int64_t channels, const Tiles *t,
                                      float *stage, float *v, int64_t step) noexcept nogil
        void (*winograd_stride_weights)(const float *w, int64_t out_step, int64_t in_step, int rotated, int64_t outs,
                                        int64_t channels, float *u, int64_t step) noexcept nogil
        void (*winograd_stride_products)(const Tiles *t, int64_t channels, int64_t outs, const float *v, int64_t v_step,
                                         int64_t block, const float *u, int64_t u_step, float *m, int64_t m_step,
                                         int accumulate) noexcept nogil
        void (*winograd_stride_output)(int back, const Conv2d *q, const Tiles *t, const float *m, int64_t step,
                                       int64_t outs, const float *bias, int relu, float *stage,
                                       float *y) noexcept nogil
        void (*winograd_stride_gradient)(const Conv2d *q, const float *g, int64_t channels, const Tiles *t,
                                         float *stage, float *d, int64_t step) noexcept nogil
        void (*winograd_stride_sums)(int64_t inputs, int64_t outputs, int64_t tiles,
                                     const float *v, int64_t v_step, const float *d, int64_t d_step, int64_t block,
                                     float *u, int64_t u_step, int64_t u_block, int accumulate,
                                     Runs *upcoming) noexcept nogil
        void (*winograd_stride_dw)(const float *u, int64_t step, int64_t parts, int64_t part, int64_t inputs,
                                   int64_t outputs, float *dw, int64_t ldw) noexcept nogil
        # winograd_dw.c
        void (*winograd_gradient)(const Conv2d *q, const float *g, int64_t channels, const Tiles *t, float *stage,
                                  float *d, int64_t step) noexcept nogil
        void (*winograd_tile_sums)(int64_t positions, int64_t inputs, int64_t outputs, int64_t tiles, const float *v,
                                   int64_t v_step, const float *d, int64_t d_step, int64_t block, float *u,
                                   int64_t u_step, int64_t u_block, int accumulate, Runs *upcoming) noexcept nogil
        void (*winograd_weights)(const float *u, int64_t step, int64_t parts, int64_t part, int64_t inputs,
                                 int64_t outputs, float *dw, int64_t ldw) noexcept nogil
        # winograd_output.c
        void (*winograd_products)(int64_t points, const Tiles *t, int64_t channels, int64_t outs, const float *v,
                                  int64_t v_step, int64_t block, const float *u, int64_t u_step, float *m,
                                  int64_t m_step, int accumulate) noexcept nogil
        void (*winograd4_output)(const Conv2d *q, const Tiles *t, const float *m, int64_t step, int64_t outs,
                                 const float *bias, const float *added, int relu, float *stage,
                                 float *y) noexcept nogil
        void (*winograd2_output)(const Conv2d *q, const Tiles *t, const float *m, int64_t step, int64_t outs,
                                 const float *bias, const float *added, int relu, float *stage,
                                 float *y) noexcept nogil
        void (*winograd4_output_pool)(const Conv2d *q, const Tiles *t, const float *m, int64_t step, int64_t outs,
                                      const float *bias, float *stage, float *y, uint8_t *taps) noexcept nogil
        # winograd3.c
        void (*winograd3_input)(const Conv2d *q, const float *x, int64_t channels, const Tiles *t, float *stage,
                                float *v, int64_t step) noexcept nogil
        void (*winograd3_weights)(const float *w, int64_t out_step, int64_t outs, int64_t channels, float *u,
                                  int64_t step) noexcept nogil
        void (*winograd3_output)(const Conv2d *q, const Tiles *t, const float *m, int64_t step, int64_t outs,
                                 const float *bias, const float *added, int relu, float *stage,
                                 float *y) noexcept nogil
        void (*winograd3_gradient)(const Conv2d *q, const float *g, int64_t channels, const Tiles *t, float *stage,
                                   float *d, int64_t step) noexcept nogil
        void (*winograd3_dw)(const float *u, int64_t step, int64_t parts, int64_t part, int64_t inputs,
                             int64_t outputs, float *dw, int64_t ldw) noexcept nogil
        # winograd5.c
        void (*winograd5_input)(const Conv2d *q, const float *x, int64_t channels, const Tiles *t, float *stage,
                                float *v, int64_t step) noexcept nogil
        void (*winograd5_weights)(const float *w, int64_t out_step, int64_t in_step, int rotated, int64_t outs,
                                  int64_t channels, float *u, int64_t step) noexcept nogil
        void (*winograd5_output)(const Conv2d *q, const Tiles *t, const float *m, int64_t step, int64_t outs,
                                 const float *bias, const float *added, int relu, float *stage, float *y) noexcept nogil
        void (*winograd5_output_pool)(const Conv2d *q, const Tiles *t, const float *m, int64_t step, int64_t outs,
                                      const float *bias, float *stage, float *y, uint8_t *taps) noexcept nogil
        void (*winograd5_gradient)(const Conv2d *q, const float *g, int64_t channels, const Tiles *t, float *stage,
                                   float *d, int64_t step) noexcept nogil
        void (*winograd5_dw)(const float *u, int64_t step, int64_t parts, int64_t part, int64_t inputs,
                             int64_t outputs, float *dw, int64_t ldw) noexcept nogil
        # phases.c
        void (*split_plane)(int64_t h, int64_t w, int64_t top, int64_t left, int64_t dh, int64_t dw, const float *x,
                            int64_t rows, int64_t columns, float *y, int64_t step) noexcept nogil
        void (*merge_plane)(int64_t h, int64_t w, int64_t dh, int64_t dw, const float *y,
                            int64_t step, int64_t rows, int64_t columns, float *x) noexcept nogil
        # machine.c
        double (*fma_chains)(int64_t rounds) noexcept nogil
        void (*stream_read)(const float *x, int64_t n, float *sum) noexcept nogil
        void (*stream_write)(float *x, int64_t n, float value) noexcept nogil
        void (*stream_copy)(float *y, const float *x, int64_t n) noexcept nogil
        # pointwise.c
        void (*add_rows)(int64_t rows, int64_t n, const float *a, const float *b, float *y) noexcept nogil
        void (*add_right)(int64_t n, const float *a, float s, float *y) noexcept nogil
        void (*add_left)(int64_t n, const float *a, float s, float *y) noexcept nogil
        void (*sub_rows)(int64_t rows, int64_t n, const float *a, const float *b, float *y) noexcept nogil
        void (*sub_right)(int64_t n, const float *a, float s, float *y) noexcept nogil
        void (*sub_left)(int64_t n, const float *a, float s, float *y) noexcept nogil
        void (*mul_rows)(int64_t rows, int64_t n, const float *a, const float *b, float *y) noexcept nogil
        void (*mul_right)(int64_t n, const float *a, float s, float *y) noexcept nogil
        void (*mul_left)(int64_t n, const float *a, float s, float *y) noexcept nogil
        void (*div_rows)(int64_t rows, int64_t n, const float *a, const float *b, float *y) noexcept nogil
        void (*div_right)(int64_t n, const float *a, float s, float *y) noexcept nogil
        void (*div_left)(int64_t n, const float *a, float s, float *y) noexcept nogil
        void (*map_neg)(int64_t n, const float *a, float *y) noexcept nogil
        void (*map_exp)(int64_t n, const float *a, float *y) noexcept nogil
        void (*map_log)(int64_t n, const float *a, float *y) noexcept nogil
        void (*map_sqrt)(int64_t n, const float *a, float *y) noexcept nogil
        void (*map_sigmoid)(int64_t n, const float *a, float *y) noexcept nogil
        void (*map_tanh)(int64_t n, const float *a, float *y) noexcept nogil
        void (*map_relu)(int64_t n, const float *a, float *y) noexcept nogil
        void (*add_relu)(int64_t n, const float *a, const float *b, float *y) noexcept nogil
        void (*relu_dx)(int64_t n, const float *g, const float *y, float *dx) noexcept nogil
        void (*sigmoid_dx)(int64_t n, const float *g, const float *y, float *dx) noexcept nogil
        void (*tanh_dx)(int64_t n, const float *g, const float *y, float *dx) noexcept nogil
        # strided.c
        void (*copy_plane)(int64_t rows, int64_t columns, const float *x, int64_t x_row, int64_t x_column, float *y,
                           int64_t y_row, int64_t y_column, int add) noexcept nogil
        # pool.c
        void (*max_pool)(const Pool2d *q, int64_t first, int64_t last, int64_t row, int64_t rows, const float *x,
            float *y, void *taps) noexcept nogil
        void (*relu_max_pool)(const Pool2d *q, int64_t first, int64_t last, int64_t row, int64_t rows, const float *x,
            float *y, void *taps) noexcept nogil
        void (*max_pool_dx)(const Pool2d *q, int64_t first, int64_t last, int64_t row, int64_t rows, const float *g,
            const void *taps, float *dx) noexcept nogil
        void (*avg_pool)(const Pool2d *q, int64_t first, int64_t last, int64_t row, int64_t rows, const float *x,
            float *y) noexcept nogil
        void (*avg_pool_dx)(const Pool2d *q, int64_t first, int64_t last, int64_t row, int64_t rows, const float *g,
            float *dx) noexcept nogil
        # norm.c
        void (*norm_moments)(const Norm *q, const NormPart *p, double *mean, double *squares) noexcept nogil
        void (*merge_moments)(int64_t channels, int64_t parts, int64_t stride, const double *counts,
            const double *moments, float *mean, float *variance) noexcept nogil
        void (*norm_invstd)(int64_t n, const float *variance, float eps, float *invstd) noexcept nogil
        norm_planes norm_map
        norm_planes norm_relu
        norm_planes norm_add_relu
        norm_reduction norm_sums
        norm_reduction norm_relu_sums
        norm_reduction norm_add_relu_sums
        void (*norm_factors)(const Norm *q, int64_t first, int64_t last, int64_t parts, const double *sums,
            int constants, float *factors, float *dw, float *db) noexcept nogil
        norm_gradient norm_dx
        norm_gradient norm_relu_dx
        norm_gradient norm_add_relu_dx
        # norm_pool.c
        norm_planes norm_relu_pool
        norm_reduction norm_pool_sums
        norm_gradient norm_pool_dx
        # loss.c
        void (*softmax_rows)(int64_t rows, int64_t n, const float *x, float *y) noexcept nogil
        void (*log_softmax_rows)(int64_t rows, int64_t n, const float *x, float *y) noexcept nogil
        void (*softmax_dx_rows)(int64_t rows, int64_t n, const float *g, const float *y, float *dx) noexcept nogil
        void (*log_softmax_dx_rows)(int64_t rows, int64_t n, const float *g, const float *y, float *dx) noexcept nogil
        int64_t (*bad_label)(int64_t rows, int64_t n, const int64_t *labels) noexcept nogil
        void (*cross_entropy_rows)(int64_t rows, int64_t n, const float *x, const int64_t *labels, float *losses,
            float *p) noexcept nogil
        void (*cross_entropy_dx_rows)(int64_t rows, int64_t n, const float *g, int64_t step, const float *p,
            const int64_t *labels, float *dx) noexcept nogil
        # optim.c
        update_step sgd_step
        update_step adam_step
        update_step nadam_step
        update_step radam_step
        update_step adamax_step
        update_step rmsprop_step
        update_step adagrad_step
        update_step adadelta_step
        update_step lion_step
        # augment.c
        void (*augment_plane)(int64_t h, int64_t w, const uint8_t *x, int64_t top, int64_t left, int flip, int64_t oh,
            int64_t ow, float fill, float scale, float shift, float *y) noexcept nogil
        void (*erase_plane)(int64_t oh, int64_t ow, int64_t row, int64_t column, int64_t h, int64_t w, float value,
            float *y) noexcept nogil
        int64_t (*bad_index)(int64_t n, int64_t count, const int64_t *indices) noexcept nogil
        # random.c
        void (*random_words)(uint64_t seed, uint64_t stream, int64_t first, int64_t n, uint32_t *y) noexcept nogil
        void (*uniform_f32)(uint64_t seed, uint64_t stream, int64_t first, int64_t n, float low, float width,
            float top, float *y) noexcept nogil
        void (*uniform_f64)(uint64_t seed, uint64_t stream, int64_t first, int64_t n, double low, double width,
            double top, double *y) noexcept nogil
        void (*normal_f32)(uint64_t seed, uint64_t stream, int64_t first, int64_t n, double mean, double std,
            float *y) noexcept nogil
        void (*normal_f64)(uint64_t seed, uint64_t stream, int64_t first, int64_t n, double mean, double std,
            double *y) noexcept nogil
        void (*integers)(uint64_t seed, uint64_t stream, int64_t first, int64_t n, uint64_t low, uint64_t range,
            int64_t *y) noexcept nogil
        void (*dropout)(uint64_t seed, uint64_t stream, int64_t first, int64_t n, uint32_t threshold, float scale,
            const float *x, float *y) noexcept nogil

    int isa_count()
    const KernelTable *isa_table(int index)
    int isa_runs(int index)
    const char *cpu_feature(int index)


cdef const KernelTable *K
