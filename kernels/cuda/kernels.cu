// Decides which files are the kernels.
#include "contract.cu"
#include "gather.cu"
#include "gemm.cu"
#include "msm.cu"
#include "product.cu"
#include "sums.cu"
#include "tree.cu"
#include "vectors.cu"
