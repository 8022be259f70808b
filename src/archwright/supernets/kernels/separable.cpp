// Depthwise-separable convolutions, 3x3 pools and weighted sums, forward and backward, on channels-last images.
//
// An image fits the cache of a core, so whatever happens to it happens while it is there: it is rectified and padded
// once, then each depthwise convolution and the pointwise one behind it run on it, and only what batch-norm needs (the
// pointwise convolution's output, its sums) goes to memory. Backward recomputes the rest.
//
// Arrays are (image, row, column, channel). Weights come as PyTorch has them. Plain C at the outside: see __init__.py.

#include <omp.h>

#include <cstring>
#include <limits>
#include <vector>

namespace {

template <typename T, int L>
struct Lanes {
  typedef T Vector __attribute__((vector_size(L * sizeof(T))));
};
template <typename T, int L>
using Vec = typename Lanes<T, L>::Vector;

template <typename T, int L>
inline Vec<T, L> load(const T* from) {
  Vec<T, L> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <typename T, int L>
inline void store(T* to, Vec<T, L> v) {
  std::memcpy(to, &v, sizeof v);
}
template <typename T, int L>
inline Vec<T, L> splat(T x) {
  return Vec<T, L>{} + x;
}
// As PyTorch has it, what is no number stays so.
template <typename T, int L>
inline Vec<T, L> rectified(Vec<T, L> v) {
  return v < Vec<T, L>{} ? Vec<T, L>{} : v;
}

// f(thread, first image, past the last image)
template <typename F>
void for_images(int images, int threads, F f) {
#pragma omp parallel num_threads(threads)
  {
    const int t = omp_get_thread_num(), n = omp_get_num_threads();
    f(t, images * t / n, images * (t + 1) / n);
  }
}

// out[M][N] (+)= sum over k of a[m * row + k * column] * b[k][N]
template <typename T, int L, int R, int V>
inline void product_tile(T* out, long ldo, const T* a, long row, long column, const T* b, long ldb, int depth, bool add) {
  Vec<T, L> sums[R][V] = {};
  for (int k = 0; k < depth; ++k) {
    Vec<T, L> right[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) right[v] = load<T, L>(b + k * ldb + v * L);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sums[r][v] += a[r * row + k * column] * right[v];
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      T* to = out + r * ldo + v * L;
      store<T, L>(to, add ? load<T, L>(to) + sums[r][v] : sums[r][v]);
    }
}

#ifdef __AVX512F__
constexpr int WIDE = 8, WIDEST = 4;  // rows of a tile that is 2 and 4 vectors wide: 32 registers
#else
constexpr int WIDE = 4, WIDEST = 2;
#endif

template <typename T, int L, int R, int V>
inline void product_columns(T* out, const T* a, long row, long column, const T* b, int M, int N, int depth, bool add) {
  int m = 0;
  for (; m + R <= M; m += R) product_tile<T, L, R, V>(out + m * N, N, a + m * row, row, column, b, N, depth, add);
  for (; m < M; ++m) product_tile<T, L, 1, V>(out + m * N, N, a + m * row, row, column, b, N, depth, add);
}

template <typename T, int L>
void product(T* out, const T* a, long row, long column, const T* b, int M, int N, int depth, bool add) {
  int n = 0;
  for (; n + 4 * L <= N; n += 4 * L)
    product_columns<T, L, WIDEST, 4>(out + n, a, row, column, b + n, M, N, depth, add);
  for (; n + 2 * L <= N; n += 2 * L)
    product_columns<T, L, WIDE, 2>(out + n, a, row, column, b + n, M, N, depth, add);
  for (; n < N; n += L) product_columns<T, L, 8, 1>(out + n, a, row, column, b + n, M, N, depth, add);
}

// One depthwise convolution over a padded image; `in` is where tap (0, 0) of the first output lies.
template <typename T, int L, int K, int P>
inline void depthwise_tile(T* out, const T* in, const T* weight, int C, long in_row, int stride, int dilation, bool add) {
  Vec<T, L> sums[P] = {};
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p)
    if (add) sums[p] = load<T, L>(out + p * C);
  for (int ky = 0; ky < K; ++ky)
#pragma GCC unroll 5
    for (int kx = 0; kx < K; ++kx) {
      const Vec<T, L> w = load<T, L>(weight + (ky * K + kx) * C);
      const T* from = in + ky * dilation * in_row + kx * dilation * C;
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) sums[p] += load<T, L>(from + p * stride * C) * w;
    }
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) store<T, L>(out + p * C, sums[p]);
}

template <typename T, int L, int K>
void depthwise_sized(
    T* out, const T* in, const T* weight, int H, int W, int C, long in_row, int stride, int dilation, bool add) {
  for (int c = 0; c < C; c += L)
    for (int y = 0; y < H; ++y) {
      T* to = out + long(y) * W * C + c;
      const T* from = in + long(y) * stride * in_row + c;
      const long step = long(stride) * C;
      int x = 0;
      for (; x + 8 <= W; x += 8)
        depthwise_tile<T, L, K, 8>(to + x * C, from + x * step, weight + c, C, in_row, stride, dilation, add);
      for (; x + 4 <= W; x += 4)
        depthwise_tile<T, L, K, 4>(to + x * C, from + x * step, weight + c, C, in_row, stride, dilation, add);
      for (; x < W; ++x)
        depthwise_tile<T, L, K, 1>(to + x * C, from + x * step, weight + c, C, in_row, stride, dilation, add);
    }
}

// weights' gradient: out[K * K][C] += sum over outputs of g * what each tap saw
template <typename T, int L, int K, int ROWS>
void depthwise_weight_rows(
    T* out, const T* in, const T* g, int H, int W, int C, long in_row, int stride, int dilation, int first) {
  Vec<T, L> sums[ROWS][K] = {};
  for (int y = 0; y < H; ++y)
    for (int x = 0; x < W; ++x) {
      const Vec<T, L> here = load<T, L>(g + (long(y) * W + x) * C);
      const T* from = in + (long(y) * stride + first * dilation) * in_row + long(x) * stride * C;
#pragma GCC unroll 5
      for (int ky = 0; ky < ROWS; ++ky)
#pragma GCC unroll 5
        for (int kx = 0; kx < K; ++kx)
          sums[ky][kx] += here * load<T, L>(from + ky * dilation * in_row + kx * dilation * C);
    }
#pragma GCC unroll 5
  for (int ky = 0; ky < ROWS; ++ky)
#pragma GCC unroll 5
    for (int kx = 0; kx < K; ++kx) {
      T* to = out + ((first + ky) * K + kx) * C;
      store<T, L>(to, load<T, L>(to) + sums[ky][kx]);
    }
}

template <typename T, int L, int K>
void depthwise_weight_sized(
    T* out, const T* in, const T* g, int H, int W, int C, long in_row, int stride, int dilation) {
#ifdef __AVX512F__
  constexpr int ROWS = K;  // all sums in registers
#else
  constexpr int ROWS = K == 3 ? K : 1;
#endif
  for (int c = 0; c < C; c += L)
    for (int first = 0; first < K; first += ROWS)
      depthwise_weight_rows<T, L, K, ROWS>(out + c, in + c, g + c, H, W, C, in_row, stride, dilation, first);
}

template <typename T, int L>
void depthwise(
    int K, T* out, const T* in, const T* weight, int H, int W, int C, long in_row, int stride, int dilation, bool add) {
  (K == 3 ? depthwise_sized<T, L, 3> : depthwise_sized<T, L, 5>)(
      out, in, weight, H, W, C, in_row, stride, dilation, add);
}
template <typename T, int L>
void depthwise_weight(
    int K, T* out, const T* in, const T* g, int H, int W, int C, long in_row, int stride, int dilation) {
  (K == 3 ? depthwise_weight_sized<T, L, 3> : depthwise_weight_sized<T, L, 5>)(
      out, in, g, H, W, C, in_row, stride, dilation);
}

// Sums over an image's pixels: of g, or of g * (p - mean).
template <typename T, int L>
inline void sum_image(double* out, const T* g, const T* p, const T* mean, int pixels, int C) {
  for (int c = 0; c < C; c += L) {
    Vec<T, L> sums[4] = {};  // four chains of additions, since each waits for its last
    const Vec<T, L> centre = p ? load<T, L>(mean + c) : Vec<T, L>{};
    const auto add = [&](int which, int pixel) {
      const long at = long(pixel) * C + c;
      sums[which] += p ? load<T, L>(g + at) * (load<T, L>(p + at) - centre) : load<T, L>(g + at);
    };
    int i = 0;
    for (; i + 4 <= pixels; i += 4)
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) add(u, i + u);
    for (; i < pixels; ++i) add(0, i);
    const Vec<T, L> sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    for (int l = 0; l < L; ++l) out[c + l] = sum[l];
  }
}

// Mean of each channel, and the sum of squares around it, of one image.
template <typename T, int L>
void moments_of_image(double* mean, double* squares, const T* p, int pixels, int C) {
  sum_image<T, L>(mean, p, nullptr, nullptr, pixels, C);
  for (int c = 0; c < C; c += L) {
    Vec<T, L> centre, sums[4] = {};
    for (int l = 0; l < L; ++l) centre[l] = T(mean[c + l] / pixels);
    const auto add = [&](int which, int pixel) {
      const Vec<T, L> away = load<T, L>(p + long(pixel) * C + c) - centre;
      sums[which] += away * away;
    };
    int i = 0;
    for (; i + 4 <= pixels; i += 4)
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) add(u, i + u);
    for (; i < pixels; ++i) add(0, i);
    const Vec<T, L> sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    for (int l = 0; l < L; ++l) {
      mean[c + l] /= pixels;
      squares[c + l] = sum[l];
    }
  }
}

// From the moments of each image, [images][convolution][channel], to mean and (biased) variance of the batch.
void combine_moments(
    double* mean, double* variance, const double* means, const double* squares, int images, int columns, int pixels) {
  for (int c = 0; c < columns; ++c) {
    double sum = 0, around = 0;
    for (int i = 0; i < images; ++i) sum += means[long(i) * columns + c];
    mean[c] = sum / images;
    for (int i = 0; i < images; ++i) {
      const double away = means[long(i) * columns + c] - mean[c];
      around += squares[long(i) * columns + c] + away * away * pixels;
    }
    variance[c] = around / (double(images) * pixels);
  }
}

struct Shape {
  int images, height, width, in_channels, out_channels, out_height, out_width, stride, threads;
};

template <typename T>
struct Padded {
  const int border, width;
  const long row;
  std::vector<T> all;
  Padded(const Shape& s, int border, int channels)
      : border(border), width(s.width + 2 * border), row(long(width) * channels),
        all(row * (s.height + 2 * border), T(0)) {}
  T* at(int y, int x, int channels) { return all.data() + (y + border) * row + long(x + border) * channels; }
};

// The rectified image, max(0, scale * x + shift) where there is a scale.
template <typename T, int L>
void rectify(Padded<T>& to, const T* x, const T* scale, const T* shift, const Shape& s) {
  const int C = s.in_channels;
  for (int y = 0; y < s.height; ++y) {
    T* out = to.at(y, 0, C);
    const T* in = x + long(y) * s.width * C;
    for (int i = 0; i < s.width; ++i)
      for (int c = 0; c < C; c += L) {
        Vec<T, L> v = load<T, L>(in + i * C + c);
        if (scale) v = v * load<T, L>(scale + c) + load<T, L>(shift + c);
        store<T, L>(out + i * C + c, rectified<T, L>(v));
      }
  }
}

template <typename T>
struct Packed {
  std::vector<std::vector<T>> taps, flipped, pointwise;  // [tap][channel], the same backwards, [in][out]
  int border = 0;
  Packed(const Shape& s, int convolutions, const int* kernels, const int* dilations, const T* const* depth,
         const T* const* point) {
    for (int n = 0; n < convolutions; ++n) {
      const int size = kernels[n] * kernels[n], C = s.in_channels, O = s.out_channels;
      std::vector<T> tap(size * C), back(size * C), turned(C * O);
      for (int c = 0; c < C; ++c)
        for (int k = 0; k < size; ++k) tap[k * C + c] = back[(size - 1 - k) * C + c] = depth[n][c * size + k];
      for (int o = 0; o < O; ++o)
        for (int c = 0; c < C; ++c) turned[c * O + o] = point[n][o * C + c];
      taps.push_back(tap), flipped.push_back(back), pointwise.push_back(turned);
      const int reach = dilations[n] * (kernels[n] / 2);
      if (reach > border) border = reach;
    }
  }
};

template <typename T, int L>
void separable_forward(
    const Shape& s, int convolutions, const int* kernels, const int* dilations, const T* x, const T* scale,
    const T* shift, const T* const* depth, const T* const* point, T* const* outputs, double* mean, double* variance) {
  const int C = s.in_channels, O = s.out_channels, pixels = s.out_height * s.out_width, columns = convolutions * O;
  const Packed<T> weights(s, convolutions, kernels, dilations, depth, point);
  std::vector<double> means(long(s.images) * columns), squares(means.size());
  for_images(s.images, s.threads, [&](int, int begin, int end) {
    Padded<T> padded(s, weights.border, C);
    std::vector<T> between(long(pixels) * C);
    for (int i = begin; i < end; ++i) {
      rectify<T, L>(padded, x + long(i) * s.height * s.width * C, scale, shift, s);
      for (int n = 0; n < convolutions; ++n) {
        const int reach = dilations[n] * (kernels[n] / 2);
        T* out = outputs[n] + long(i) * pixels * O;
        depthwise<T, L>(kernels[n], between.data(), padded.at(-reach, -reach, C), weights.taps[n].data(), s.out_height,
                        s.out_width, C, padded.row, s.stride, dilations[n], false);
        product<T, L>(out, between.data(), C, 1, weights.pointwise[n].data(), pixels, O, C, false);
        if (mean) {
          const long at = long(i) * columns + long(n) * O;
          moments_of_image<T, L>(&means[at], &squares[at], out, pixels, O);
        }
      }
    }
  });
  if (mean) combine_moments(mean, variance, means.data(), squares.data(), s.images, columns, pixels);
}

// Of each convolution the gradient at its output is slope * g + curve * p + level by channel, where p is its output:
// the backward of the batch-norm behind it. Gives the gradient before the rectifier.
template <typename T, int L>
void separable_backward(
    const Shape& s, int convolutions, const int* kernels, const int* dilations, const T* x, const T* scale,
    const T* shift, const T* mean, const T* const* depth, const T* const* point, const T* const* g,
    const T* const* outputs, const T* slope, const T* curve, const T* level, T* gx, int add, T* const* depth_gradients,
    T* const* point_gradients, double* sums, double* products) {
  const int C = s.in_channels, O = s.out_channels, pixels = s.out_height * s.out_width, size = s.height * s.width;
  const Packed<T> weights(s, convolutions, kernels, dilations, depth, point);
  std::vector<std::vector<T>> taken(long(s.threads) * convolutions * 2);
  std::vector<double> image_sums(sums ? long(s.images) * C : 0), image_products(image_sums.size());
  for_images(s.images, s.threads, [&](int thread, int begin, int end) {
    Padded<T> padded(s, weights.border, C), spread(s, weights.border, C);
    std::vector<T> between(long(pixels) * C), behind(long(pixels) * O), before(long(pixels) * C), total(long(size) * C);
    std::vector<T>* own = &taken[long(thread) * convolutions * 2];
    for (int n = 0; n < convolutions; ++n) {
      own[2 * n].assign(kernels[n] * kernels[n] * C, T(0));
      own[2 * n + 1].assign(O * C, T(0));
    }
    for (int i = begin; i < end; ++i) {
      const T* image = x + long(i) * size * C;
      if (depth_gradients) rectify<T, L>(padded, image, scale, shift, s);
      for (int n = 0; n < convolutions; ++n) {
        const int reach = dilations[n] * (kernels[n] / 2);
        const T *from = g[n] + long(i) * pixels * O, *out = outputs[n] + long(i) * pixels * O;
        for (int j = 0; j < pixels; ++j)
          for (int o = 0; o < O; o += L)
            store<T, L>(&behind[long(j) * O + o],
                        load<T, L>(slope + n * O + o) * load<T, L>(from + long(j) * O + o) +
                            load<T, L>(curve + n * O + o) * load<T, L>(out + long(j) * O + o) +
                            load<T, L>(level + n * O + o));
        product<T, L>(before.data(), behind.data(), O, 1, point[n], pixels, C, O, false);
        if (depth_gradients) {
          depthwise<T, L>(kernels[n], between.data(), padded.at(-reach, -reach, C), weights.taps[n].data(),
                          s.out_height, s.out_width, C, padded.row, s.stride, dilations[n], false);
          product<T, L>(own[2 * n + 1].data(), behind.data(), 1, O, between.data(), O, C, pixels, true);
          depthwise_weight<T, L>(kernels[n], own[2 * n].data(), padded.at(-reach, -reach, C), before.data(),
                                 s.out_height, s.out_width, C, padded.row, s.stride, dilations[n]);
        }
        for (int y = 0; y < s.out_height; ++y)
          if (s.stride == 1)
            std::memcpy(spread.at(y, 0, C), &before[long(y) * s.width * C], sizeof(T) * s.width * C);
          else
            for (int j = 0; j < s.out_width; ++j)
              std::memcpy(spread.at(y * s.stride, j * s.stride, C), &before[(long(y) * s.out_width + j) * C],
                          sizeof(T) * C);
        depthwise<T, L>(kernels[n], total.data(), spread.at(-reach, -reach, C), weights.flipped[n].data(), s.height,
                        s.width, C, spread.row, 1, dilations[n], n > 0);
      }
      T* to = gx + long(i) * size * C;
      for (int j = 0; j < size; ++j)
        for (int c = 0; c < C; c += L) {
          const long at = long(j) * C + c;
          Vec<T, L> v = load<T, L>(image + at);
          if (scale) v = v * load<T, L>(scale + c) + load<T, L>(shift + c);
          const Vec<T, L> through = v <= Vec<T, L>{} ? Vec<T, L>{} : load<T, L>(&total[at]);
          store<T, L>(to + at, add ? load<T, L>(to + at) + through : through);
        }
      if (sums) {
        sum_image<T, L>(&image_sums[long(i) * C], to, nullptr, nullptr, size, C);
        sum_image<T, L>(&image_products[long(i) * C], to, image, mean, size, C);
      }
    }
  });
  for (int n = 0; depth_gradients && n < convolutions; ++n) {
    const int taps = kernels[n] * kernels[n];
    for (int c = 0; c < C; ++c)
      for (int k = 0; k < taps; ++k) {
        T sum = 0;
        for (int t = 0; t < s.threads; ++t) {
          const std::vector<T>& part = taken[(long(t) * convolutions + n) * 2];
          if (!part.empty()) sum += part[k * C + c];
        }
        depth_gradients[n][c * taps + k] = sum;
      }
    for (int at = 0; at < O * C; ++at) {
      T sum = 0;
      for (int t = 0; t < s.threads; ++t) {
        const std::vector<T>& part = taken[(long(t) * convolutions + n) * 2 + 1];
        if (!part.empty()) sum += part[at];
      }
      point_gradients[n][at] = sum;
    }
  }
  for (int c = 0; sums && c < C; ++c) {
    sums[c] = products[c] = 0;
    for (int i = 0; i < s.images; ++i) sums[c] += image_sums[long(i) * C + c], products[c] += image_products[long(i) * C + c];
  }
}

// out = sum of slope * term by channel, + level
template <typename T, int L>
void weighted_sum(const Shape& s, int count, const T* const* terms, const T* slope, const T* level, T* out) {
  const int C = s.out_channels, pixels = s.out_height * s.out_width;
  for_images(s.images, s.threads, [&](int, int begin, int end) {
    for (long j = long(begin) * pixels; j < long(end) * pixels; ++j)
      for (int c = 0; c < C; c += L) {
        Vec<T, L> sum = level ? load<T, L>(level + c) : Vec<T, L>{};
        for (int n = 0; n < count; ++n) sum += load<T, L>(slope + n * C + c) * load<T, L>(terms[n] + j * C + c);
        store<T, L>(out + j * C + c, sum);
      }
  });
}

// sums[c] = sum of g; products[n][c] = sum of g * (term n - mean)
template <typename T, int L>
void inner_products(
    const Shape& s, int count, const T* g, const T* const* terms, const T* mean, double* sums, double* products) {
  const int C = s.out_channels, pixels = s.out_height * s.out_width, columns = (count + 1) * C;
  std::vector<double> parts(long(s.images) * columns);
  for_images(s.images, s.threads, [&](int, int begin, int end) {
    for (int i = begin; i < end; ++i) {
      const long at = long(i) * pixels * C;
      double* out = &parts[long(i) * columns];
      sum_image<T, L>(out, g + at, nullptr, nullptr, pixels, C);
      for (int n = 0; n < count; ++n)
        sum_image<T, L>(out + (n + 1) * C, g + at, terms[n] + at, mean + n * C, pixels, C);
    }
  });
  for (int c = 0; c < columns; ++c) {
    double sum = 0;
    for (int i = 0; i < s.images; ++i) sum += parts[long(i) * columns + c];
    (c < C ? sums[c] : products[c - C]) = sum;
  }
}

// 3x3 pools with a border of 1 that takes no part. f(tap, offset of the pixel it sees)
template <typename F>
inline int for_taps(const Shape& s, int y, int x, F f) {
  int count = 0;
  for (int ky = 0; ky < 3; ++ky)
    for (int kx = 0; kx < 3; ++kx) {
      const int iy = y * s.stride + ky - 1, ix = x * s.stride + kx - 1;
      if (iy < 0 || ix < 0 || iy >= s.height || ix >= s.width) continue;
      f(ky * 3 + kx, (long(iy) * s.width + ix) * s.in_channels);
      ++count;
    }
  return count;
}

template <typename T, int L>
void pool_forward(const Shape& s, int takes_mean, const T* x, T* out, double* mean, double* variance) {
  const int C = s.in_channels, pixels = s.out_height * s.out_width;
  std::vector<double> means(long(s.images) * C), squares(means.size());
  for_images(s.images, s.threads, [&](int, int begin, int end) {
    for (int i = begin; i < end; ++i) {
      const T* image = x + long(i) * s.height * s.width * C;
      T* to = out + long(i) * pixels * C;
      for (int y = 0; y < s.out_height; ++y)
        for (int j = 0; j < s.out_width; ++j)
          for (int c = 0; c < C; c += L) {
            Vec<T, L> v = takes_mean ? Vec<T, L>{} : splat<T, L>(-std::numeric_limits<T>::infinity());
            const int count = for_taps(s, y, j, [&](int, long at) {
              const Vec<T, L> here = load<T, L>(image + at + c);
              v = takes_mean ? v + here : (((here <= v) | (v != v)) ? v : here);  // NaN stays, as in PyTorch
            });
            store<T, L>(to + (long(y) * s.out_width + j) * C + c, takes_mean ? v / T(count) : v);
          }
      if (mean) moments_of_image<T, L>(&means[long(i) * C], &squares[long(i) * C], to, pixels, C);
    }
  });
  if (mean) combine_moments(mean, variance, means.data(), squares.data(), s.images, C, pixels);
}

// Adds to gx. Of equal largest pixels the first gets the gradient, as in PyTorch.
template <typename T, int L>
void pool_backward(const Shape& s, int takes_mean, const T* x, const T* g, T* gx) {
  const int C = s.in_channels, pixels = s.out_height * s.out_width;
  for_images(s.images, s.threads, [&](int, int begin, int end) {
    for (int i = begin; i < end; ++i) {
      const T* image = x + long(i) * s.height * s.width * C;
      T* to = gx + long(i) * s.height * s.width * C;
      for (int y = 0; y < s.out_height; ++y)
        for (int j = 0; j < s.out_width; ++j)
          for (int c = 0; c < C; c += L) {
            Vec<T, L> here = load<T, L>(g + (long(i) * pixels + long(y) * s.out_width + j) * C + c);
            Vec<T, L> largest = splat<T, L>(-std::numeric_limits<T>::infinity()), winner{};
            const int count = for_taps(s, y, j, [&](int tap, long at) {
              if (takes_mean) return;
              const Vec<T, L> v = load<T, L>(image + at + c);
              const auto stays = (v <= largest) | (largest != largest);
              winner = stays ? winner : splat<T, L>(T(tap));
              largest = stays ? largest : v;
            });
            if (takes_mean) here /= T(count);
            for_taps(s, y, j, [&](int tap, long at) {
              const Vec<T, L> part = takes_mean ? here : (winner == splat<T, L>(T(tap)) ? here : Vec<T, L>{});
              store<T, L>(to + at + c, load<T, L>(to + at + c) + part);
            });
          }
    }
  });
}

// call(T, lanes): as many channels at a time as divide both counts of channels
#ifdef __AVX512F__
#define WIDEST_FLOAT(call) if (fits(s, 16)) { call(float, 16); return; }
#define WIDEST_DOUBLE(call) if (fits(s, 8)) { call(double, 8); return; }
#else
#define WIDEST_FLOAT(call)
#define WIDEST_DOUBLE(call)
#endif
#define DISPATCH(call)                          \
  if (is_double) {                              \
    WIDEST_DOUBLE(call)                         \
    call(double, 4);                            \
  } else {                                      \
    WIDEST_FLOAT(call)                          \
    if (fits(s, 8)) { call(float, 8); return; } \
    call(float, 4);                             \
  }

bool fits(const Shape& s, int lanes) { return s.in_channels % lanes == 0 && s.out_channels % lanes == 0; }

template <typename T>
const T* as(const void* p) { return static_cast<const T*>(p); }
template <typename T>
T* as(void* p) { return static_cast<T*>(p); }
template <typename T>
const T* const* as(const void* const* p) { return reinterpret_cast<const T* const*>(p); }
template <typename T>
T* const* as(void* const* p) { return reinterpret_cast<T* const*>(p); }

}  // namespace

extern "C" {

void aw_separable_forward(
    int is_double, const Shape* shape, int convolutions, const int* kernels, const int* dilations, const void* x,
    const void* scale, const void* shift, const void* const* depth, const void* const* point, void* const* outputs,
    double* mean, double* variance) {
  const Shape& s = *shape;
#define CALL(T, L)                                                                                                   \
  separable_forward<T, L>(s, convolutions, kernels, dilations, as<T>(x), as<T>(scale), as<T>(shift), as<T>(depth), \
                          as<T>(point), as<T>(outputs), mean, variance)
  DISPATCH(CALL)
#undef CALL
}

void aw_separable_backward(
    int is_double, const Shape* shape, int convolutions, const int* kernels, const int* dilations, const void* x,
    const void* scale, const void* shift, const void* mean, const void* const* depth, const void* const* point,
    const void* const* g, const void* const* outputs, const void* slope, const void* curve, const void* level, void* gx,
    int add, void* const* depth_gradients, void* const* point_gradients, double* sums, double* products) {
  const Shape& s = *shape;
#define CALL(T, L)                                                                                                    \
  separable_backward<T, L>(s, convolutions, kernels, dilations, as<T>(x), as<T>(scale), as<T>(shift), as<T>(mean),    \
                           as<T>(depth), as<T>(point), as<T>(g), as<T>(outputs), as<T>(slope), as<T>(curve),         \
                           as<T>(level), as<T>(gx), add, as<T>(depth_gradients), as<T>(point_gradients), sums, products)
  DISPATCH(CALL)
#undef CALL
}

void aw_weighted_sum(int is_double, const Shape* shape, int count, const void* const* terms, const void* slope,
                     const void* level, void* out) {
  const Shape& s = *shape;
#define CALL(T, L) weighted_sum<T, L>(s, count, as<T>(terms), as<T>(slope), as<T>(level), as<T>(out))
  DISPATCH(CALL)
#undef CALL
}

void aw_inner_products(int is_double, const Shape* shape, int count, const void* g, const void* const* terms,
                       const void* mean, double* sums, double* products) {
  const Shape& s = *shape;
#define CALL(T, L) inner_products<T, L>(s, count, as<T>(g), as<T>(terms), as<T>(mean), sums, products)
  DISPATCH(CALL)
#undef CALL
}

void aw_pool_forward(int is_double, const Shape* shape, int takes_mean, const void* x, void* out, double* mean,
                     double* variance) {
  const Shape& s = *shape;
#define CALL(T, L) pool_forward<T, L>(s, takes_mean, as<T>(x), as<T>(out), mean, variance)
  DISPATCH(CALL)
#undef CALL
}

void aw_pool_backward(int is_double, const Shape* shape, int takes_mean, const void* x, const void* g, void* gx) {
  const Shape& s = *shape;
#define CALL(T, L) pool_backward<T, L>(s, takes_mean, as<T>(x), as<T>(g), as<T>(gx))
  DISPATCH(CALL)
#undef CALL
}
}
