#include "../../cuda/kernels.cu"
#include "arithmetic.cu"
