/* Copies and sums of parts of arrays. */
#include "vec.h"
#include "kernels.h"

/* y = x, or y += x where `add`, for [rows, columns] of any strides, in floats. */
static void copy_plane(int64_t rows, int64_t columns, const float *x, int64_t x_row, int64_t x_column, float *y,
                       int64_t y_row, int64_t y_column, int add)
{
    for (int64_t r = 0; r < rows; r++, x += x_row, y += y_row)
        if (add)
            for (int64_t c = 0; c < columns; c++) y[c * y_column] += x[c * x_column];
        else if (x_column == 1 && y_column == 1)
            for (int64_t c = 0; c < columns; c += LANES) store_first(y + c, load_first(x + c, columns - c), columns - c);
        else
            for (int64_t c = 0; c < columns; c++) y[c * y_column] = x[c * x_column];
}
