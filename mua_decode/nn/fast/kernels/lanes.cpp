// Convolution blocks of the video network with the batch in the vector lanes.
//
// Arrays are laid out (groups, channels, T, H, W, LANES): LANES trials side by side, so that every
// multiply-add fills a whole vector register whatever the number of channels (an RGB input
// included). Along time a convolution is a product of short real Fourier spectra; what is left
// are independent 2-D convolutions per frequency, complex ones with three real products:
//     P = c (a + b),   Im = P + a (d - c),   Re = P - b (c + d)      for (a + ib)(c + id).
// Batch normalisation, ReLU and either max pooling (encoder) or the pixel shuffle that ends an
// upsampling convolution (decoder) run in one pass over memory.
//
// Plain C interface, called through ctypes; no header of PyTorch is needed. Only vector extensions
// of GCC and Clang are used, so the same source serves AVX-512, AVX2 and NEON.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#if defined(__AVX512F__)
constexpr int LANES = 16, ACCUMULATORS = 24, GRADIENT_ACCUMULATORS = 28;
#elif defined(__AVX2__)
constexpr int LANES = 8, ACCUMULATORS = 12, GRADIENT_ACCUMULATORS = 10;
#else
constexpr int LANES = 8, ACCUMULATORS = 8, GRADIENT_ACCUMULATORS = 8;
#endif
constexpr int MAX_SHIFTS = 16;
constexpr int MAX_OUT = 6, MAX_POSITIONS = 8, MAX_TAPS = 7, MAX_GRADIENT_OUT = 8;

typedef float vec __attribute__((vector_size(LANES * 4)));
typedef float loose __attribute__((vector_size(LANES * 4), aligned(4)));
typedef int32_t ivec __attribute__((vector_size(LANES * 4)));

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")

INLINE vec load(const float* p) { return *reinterpret_cast<const loose*>(p); }
INLINE void store(float* p, vec v) { *reinterpret_cast<loose*>(p) = v; }

// One layer, as Python describes it (see lane_plan.py, which mirrors this struct).
struct Layer {
    int64_t batch, threads;
    int64_t in_channels, out_channels;      // out_channels: per spatial phase, time phases inside
    int64_t t, h, w;                        // size of the convolution's input
    int64_t planes, real_planes;            // spectrum: real planes first, then (Re, Im) pairs
    int64_t kh, kw;
    int64_t phases_t, phases_h, phases_w;   // upsampling
    int64_t row_offset[8], column_offset[8];  // where the taps of a spatial phase begin
    int64_t channels;                       // of the block's output
    int64_t out_t, out_h, out_w;            // size of the block's output
    int64_t pool_t, pool_h, pool_w;
    int64_t relu;

    int64_t groups() const { return (batch + LANES - 1) / LANES; }
    int64_t shifts() const { return phases_h * phases_w; }
    int64_t outputs() const { return shifts() * out_channels; }
    int64_t units() const { return real_planes + (planes - real_planes) / 2; }
    int64_t sets() const { return real_planes + (planes - real_planes) / 2 * 3; }
    int64_t valid(int64_t group) const { return std::min<int64_t>(LANES, batch - group * LANES); }
    int64_t row_of(int64_t shift) const { return row_offset[shift / phases_w]; }
    int64_t column_of(int64_t shift) const { return column_offset[shift % phases_w]; }
    // Columns of zeros left and right of a row that is read with the taps of the convolution.
    int64_t pad_before() const {
        int64_t pad = 0;
        for (int64_t p = 0; p < phases_w; ++p) pad = std::max(pad, -column_offset[p]);
        return pad;
    }
    int64_t pad_after() const {
        int64_t pad = 0;
        for (int64_t p = 0; p < phases_w; ++p) pad = std::max(pad, kw - 1 + column_offset[p]);
        return pad;
    }
};

// ------------------------------------------------------------------------------ working memory

// Kept between calls: the large buffers would otherwise be returned and faulted in at every step.
static std::mutex guard;
static std::vector<std::pair<float*, size_t>> arena(8, {nullptr, 0});

static float* scratch(int slot, size_t floats) {
    auto& [data, size] = arena[slot];
    if (size < floats) {
        std::free(data);
        size_t bytes = (floats * 4 + 4095) / 4096 * 4096;
        data = static_cast<float*>(std::aligned_alloc(4096, bytes));
        size = floats;
    }
    return data;
}

// Planes a power of two apart would share cache sets: stretch their distance a little.
INLINE int64_t stagger(int64_t floats) {
    return (floats / LANES / 64 * 64 + 64 + 5) * LANES;
}

extern "C" void lanes_release() {
    std::lock_guard<std::mutex> lock(guard);
    for (auto& [data, size] : arena) {
        std::free(data);
        data = nullptr;
        size = 0;
    }
}

extern "C" int64_t lanes_width() { return LANES; }
extern "C" int64_t lanes_layer_bytes() { return sizeof(Layer); }

// ------------------------------------------------------------------------- the convolution tile

struct Source {
    const float *a, *b;   // real and imaginary plane at tap (0, 0) of the first position
    const float* weight;  // packed (channel, row tap, column tap, tile of outputs)
    int64_t set;          // distance between the weights of the three products
    int64_t channels, channel_stride, row_stride, tap_stride;
    int64_t first_row, last_row, kh, kw;
};

template <int OUT, int POS, bool SUM>
INLINE void accumulate(vec (&acc)[OUT][POS], const Source& s, const float* a, const float* b,
                       const float* weight) {
    for (int64_t i = 0; i < s.channels; ++i) {
        for (int64_t r = s.first_row; r < s.last_row; ++r) {
            const int64_t at = i * s.channel_stride + r * s.row_stride;
            const float* pa = a + at;
            const float* pb = b + at;
            const float* pw = weight + (i * s.kh + r) * s.kw * OUT;
            for (int64_t c = 0; c < s.kw; ++c) {
                vec x[POS];
                UNROLL for (int p = 0; p < POS; ++p) {
                    x[p] = load(pa + p * LANES);
                    if (SUM) x[p] += load(pb + p * LANES);
                }
                UNROLL for (int o = 0; o < OUT; ++o) {
                    UNROLL for (int p = 0; p < POS; ++p) acc[o][p] += x[p] * pw[o];
                }
                pa += s.tap_stride;
                if (SUM) pb += s.tap_stride;
                pw += OUT;
            }
        }
    }
}

template <int OUT, int POS>
static void tile(const Source* sources, int64_t n, bool complex, float* re, float* im,
                 int64_t stride) {
    vec acc[OUT][POS] = {};
    if (!complex) {
        for (int64_t k = 0; k < n; ++k)
            accumulate<OUT, POS, false>(acc, sources[k], sources[k].a, nullptr, sources[k].weight);
        UNROLL for (int o = 0; o < OUT; ++o)
            UNROLL for (int p = 0; p < POS; ++p) store(re + o * stride + p * LANES, acc[o][p]);
        return;
    }
    float product[OUT * POS * LANES] __attribute__((aligned(64)));
    for (int64_t k = 0; k < n; ++k)
        accumulate<OUT, POS, true>(acc, sources[k], sources[k].a, sources[k].b, sources[k].weight);
    UNROLL for (int o = 0; o < OUT; ++o)
        UNROLL for (int p = 0; p < POS; ++p) store(product + (o * POS + p) * LANES, acc[o][p]);
    for (int64_t k = 0; k < n; ++k) {
        const Source& s = sources[k];
        accumulate<OUT, POS, false>(acc, s, s.a, nullptr, s.weight + s.set);
    }
    UNROLL for (int o = 0; o < OUT; ++o)
        UNROLL for (int p = 0; p < POS; ++p) {
            store(im + o * stride + p * LANES, acc[o][p]);
            acc[o][p] = load(product + (o * POS + p) * LANES);
        }
    for (int64_t k = 0; k < n; ++k) {
        const Source& s = sources[k];
        accumulate<OUT, POS, false>(acc, s, s.b, nullptr, s.weight + 2 * s.set);
    }
    UNROLL for (int o = 0; o < OUT; ++o)
        UNROLL for (int p = 0; p < POS; ++p) store(re + o * stride + p * LANES, acc[o][p]);
}

typedef void (*Tile)(const Source*, int64_t, bool, float*, float*, int64_t);
static Tile tiles[MAX_OUT + 1][MAX_POSITIONS + 1];

template <int OUT, int POS>
static void fill_tiles() {
    if constexpr (OUT * POS <= ACCUMULATORS) tiles[OUT][POS] = tile<OUT, POS>;
    if constexpr (POS < MAX_POSITIONS) fill_tiles<OUT, POS + 1>();
    else if constexpr (OUT < MAX_OUT) fill_tiles<OUT + 1, 1>();
}

// n outputs in tiles of nearly equal size, at most `most` each.
struct Tiling {
    int64_t n, number;
    Tiling(int64_t n, int64_t most) : n(n), number((n + most - 1) / most) {}
    int64_t begin(int64_t k) const { return k * n / number; }
    int64_t size(int64_t k) const { return begin(k + 1) - begin(k); }
};

static int64_t widest_out() { return ACCUMULATORS >= 24 ? 6 : (ACCUMULATORS >= 12 ? 4 : 2); }

INLINE int64_t most_positions(int64_t outputs) {
    return std::min<int64_t>(MAX_POSITIONS, ACCUMULATORS / outputs);
}

// A run of positions in a row, cut into tiles.
static void run_row(const Source* base, int64_t n, bool complex, int64_t outputs, float* re,
                    float* im, int64_t stride, int64_t positions) {
    Source moved[MAX_SHIFTS];
    const Tiling cut(positions, most_positions(outputs));
    for (int64_t k = 0; k < cut.number; ++k) {
        const int64_t at = cut.begin(k) * LANES;
        for (int64_t s = 0; s < n; ++s) {
            moved[s] = base[s];
            moved[s].a += at;
            if (moved[s].b) moved[s].b += at;
        }
        tiles[outputs][cut.size(k)](moved, n, complex, re + at, im ? im + at : nullptr, stride);
    }
}

// (outputs, inner) -> tiles of outputs, outputs innermost within a tile.
static void pack(const float* from, float* to, int64_t outputs, int64_t out_stride,
                 int64_t inner) {
    const Tiling cut(outputs, widest_out());
    for (int64_t k = 0; k < cut.number; ++k) {
        const int64_t first = cut.begin(k), size = cut.size(k);
        float* block = to + first * inner;
        for (int64_t j = 0; j < inner; ++j)
            for (int64_t o = 0; o < size; ++o)
                block[j * size + o] = from[(first + o) * out_stride + j];
    }
}

// ------------------------------------------------------------------------- transforms along time

// One row of positions: out[r] = sum_k matrix[r, k] in[k], `packed` from pack().
INLINE void transform(const float* in, int64_t in_stride, int64_t n_in, const float* packed,
                      float* out, int64_t out_stride, int64_t n_out, int64_t positions) {
    const Tiling cut(n_out, widest_out()), across(positions, most_positions(cut.size(0)));
    // All rows of a few positions at a time: what is read stays in the first cache.
    for (int64_t q = 0; q < across.number; ++q) {
        const int64_t at = across.begin(q) * LANES;
        for (int64_t k = 0; k < cut.number; ++k) {
            const int64_t first = cut.begin(k);
            Source s{in + at, nullptr, packed + first * n_in, 0, n_in, in_stride, 0, LANES, 0, 1,
                     1, 1};
            run_row(&s, 1, false, cut.size(k), out + at + first * out_stride, nullptr, out_stride,
                    across.size(q));
        }
    }
}

// x (C, T, H, W) of one lane group -> spectrum (planes, C, H, padded W).
static void analyse(const Layer& d, const float* x, const float* packed, float* spectrum,
                    int64_t before, int64_t after) {
    const int64_t padded = before + d.w + after;
    const int64_t plane = stagger(d.in_channels * d.h * padded * LANES);
#pragma omp parallel for collapse(2) num_threads(d.threads)
    for (int64_t c = 0; c < d.in_channels; ++c)
        for (int64_t h = 0; h < d.h; ++h) {
            float* row = spectrum + (c * d.h + h) * padded * LANES;
            for (int64_t f = 0; f < d.planes; ++f) {
                std::memset(row + f * plane, 0, before * LANES * 4);
                std::memset(row + f * plane + (before + d.w) * LANES, 0, after * LANES * 4);
            }
            transform(x + (c * d.t * d.h + h) * d.w * LANES, d.h * d.w * LANES, d.t, packed,
                      row + before * LANES, plane, d.planes, d.w);
        }
}

// ------------------------------------------------------------------------------- forward pass

// Sums of the values of one output plane of y, for the batch statistics.
struct Sums {
    double sum, squares;
    float origin;
};

// How many cells of an axis of a phase lie inside the block's (possibly cropped) output.
INLINE int64_t inside(int64_t length, int64_t out, int64_t phases, int64_t phase) {
    return std::max<int64_t>(0, std::min(length, (out - phase + phases - 1) / phases));
}

static void add_row(const Layer& d, const float* y, int64_t group, int64_t output, int64_t h,
                    Sums& sums) {
    const int64_t shift = output / d.out_channels, phase_t = output % d.phases_t;
    const int64_t nt = inside(d.t, d.out_t * d.pool_t, d.phases_t, phase_t);
    const int64_t nh = inside(d.h, d.out_h * d.pool_h, d.phases_h, shift / d.phases_w);
    const int64_t nw = inside(d.w, d.out_w * d.pool_w, d.phases_w, shift % d.phases_w);
    if (h >= nh) return;
    if (group == 0 && h == 0) sums.origin = y[0];
    for (int64_t t = 0; t < nt; ++t) {
        vec s = {}, q = {};
        const float* row = y + (t * d.h + h) * d.w * LANES;
        for (int64_t w = 0; w < nw; ++w) {
            const vec v = load(row + w * LANES) - sums.origin;
            s += v;
            q += v * v;
        }
        for (int64_t l = 0; l < d.valid(group); ++l) {
            sums.sum += s[l];
            sums.squares += q[l];
        }
    }
}

// y (groups, outputs, T, H, W) = convolution of x (groups, C, T, H, W).
// weight (sets, shifts, out_channels, C, kh, kw); forward (planes, T); backward (T, planes).
// sums (outputs, 3): sum, sum of squares about the origin, origin.
extern "C" void lanes_forward(const Layer* layer, const float* x, const float* weight,
                              const float* forward, const float* backward, float* y,
                              double* sums) {
    std::lock_guard<std::mutex> lock(guard);
    const Layer& d = *layer;
    const int64_t before = d.pad_before(), after = d.pad_after(), padded = before + d.w + after;
    const int64_t inner = d.in_channels * d.kh * d.kw, outputs = d.outputs();
    const int64_t set = outputs * inner, units = d.units();
    float* analysis = scratch(0, d.planes * d.t);
    float* synthesis = scratch(1, d.planes * d.t);
    float* packed = scratch(2, d.sets() * set);
    pack(forward, analysis, d.planes, d.t, d.t);
    pack(backward, synthesis, d.t, d.planes, d.planes);
#pragma omp parallel for num_threads(d.threads)
    for (int64_t k = 0; k < d.sets() * d.shifts(); ++k)
        pack(weight + k * d.out_channels * inner, packed + k * d.out_channels * inner,
             d.out_channels, inner, inner);

    const int64_t x_plane = stagger(d.in_channels * d.h * padded * LANES);
    float* spectrum = scratch(3, d.planes * x_plane);
    // Rows at a time whose spectrum stays in the cache.
    const int64_t row_floats = d.planes * outputs * d.w * LANES;
    const int64_t rows = std::clamp<int64_t>((3 << 20) / row_floats, 1, d.h);
    const int64_t y_plane = stagger(outputs * rows * d.w * LANES);
    float* product = scratch(4, d.planes * y_plane);
    std::vector<Sums> found(outputs, Sums{0, 0, 0});
    const Tiling cut(d.out_channels, widest_out());

    for (int64_t g = 0; g < d.groups(); ++g) {
        analyse(d, x + g * d.in_channels * d.t * d.h * d.w * LANES, analysis, spectrum, before,
                after);
        float* out = y + g * outputs * d.t * d.h * d.w * LANES;
        for (int64_t h0 = 0; h0 < d.h; h0 += rows) {
            const int64_t h1 = std::min(d.h, h0 + rows);
#pragma omp parallel for collapse(3) schedule(dynamic) num_threads(d.threads)
            for (int64_t u = units - 1; u >= 0; --u)
                for (int64_t shift = 0; shift < d.shifts(); ++shift)
                    for (int64_t k = 0; k < cut.number; ++k) {
                        const bool complex = u >= d.real_planes;
                        const int64_t f = complex ? 2 * u - d.real_planes : u;
                        const int64_t w_set = complex ? 3 * u - 2 * d.real_planes : u;
                        const int64_t first = shift * d.out_channels + cut.begin(k);
                        Source s{};
                        s.weight = packed + w_set * set + first * inner;
                        s.set = set;
                        s.channels = d.in_channels;
                        s.channel_stride = d.h * padded * LANES;
                        s.row_stride = padded * LANES;
                        s.tap_stride = LANES;
                        s.kh = d.kh;
                        s.kw = d.kw;
                        for (int64_t h = h0; h < h1; ++h) {
                            const int64_t top = h + d.row_of(shift);
                            s.first_row = std::max<int64_t>(0, -top);
                            s.last_row = std::min(d.kh, d.h - top);
                            s.a = spectrum + f * x_plane
                                  + (top * padded + before + d.column_of(shift)) * LANES;
                            s.b = complex ? s.a + x_plane : nullptr;
                            float* re = product + f * y_plane
                                        + (first * rows + h - h0) * d.w * LANES;
                            run_row(&s, 1, complex, cut.size(k), re, complex ? re + y_plane : re,
                                    rows * d.w * LANES, d.w);
                        }
                    }
#pragma omp parallel for schedule(static) num_threads(d.threads)
            for (int64_t o = 0; o < outputs; ++o)
                for (int64_t h = h0; h < h1; ++h) {
                    float* plane = out + o * d.t * d.h * d.w * LANES;
                    transform(product + (o * rows + h - h0) * d.w * LANES, y_plane, d.planes,
                              synthesis, plane + h * d.w * LANES, d.h * d.w * LANES, d.t, d.w);
                    add_row(d, plane, g, o, h, found[o]);
                }
        }
    }
    for (int64_t o = 0; o < outputs; ++o) {
        sums[3 * o] = found[o].sum;
        sums[3 * o + 1] = found[o].squares;
        sums[3 * o + 2] = found[o].origin;
    }
}

INLINE vec lane_mask(int64_t valid) {
    vec mask;
    for (int l = 0; l < LANES; ++l) mask[l] = l < valid ? 1.0f : 0.0f;
    return mask;
}

INLINE vec positive(vec v) { return v > 0 ? v : vec{}; }

// Where output cell (t, h, w) of channel c lies in y, for a decoder block.
INLINE int64_t cell_of(const Layer& d, int64_t c, int64_t t, int64_t h, int64_t w) {
    const int64_t shift = h % d.phases_h * d.phases_w + w % d.phases_w;
    const int64_t output = shift * d.out_channels + c * d.phases_t + t % d.phases_t;
    return ((output * d.t + t / d.phases_t) * d.h + h / d.phases_h) * d.w + w / d.phases_w;
}

// z (groups, channels, out_t, out_h, out_w) = pool or shuffle of scale * y + shift, with ReLU.
extern "C" void lanes_finish(const Layer* layer, const float* y, const float* scale,
                             const float* shift, float* z) {
    const Layer& d = *layer;
    const bool pooled = d.pool_t * d.pool_h * d.pool_w > 1;
#pragma omp parallel for collapse(3) num_threads(d.threads)
    for (int64_t g = 0; g < d.groups(); ++g)
        for (int64_t c = 0; c < d.channels; ++c)
            for (int64_t to = 0; to < d.out_t; ++to) {
                const vec mask = lane_mask(d.valid(g));
                const float* in = y + g * d.outputs() * d.t * d.h * d.w * LANES;
                float* out =
                    z + ((g * d.channels + c) * d.out_t + to) * d.out_h * d.out_w * LANES;
                for (int64_t ho = 0; ho < d.out_h; ++ho)
                    for (int64_t wo = 0; wo < d.out_w; ++wo, out += LANES) {
                        vec best;
                        if (!pooled) {
                            best = load(in + cell_of(d, c, to, ho, wo) * LANES) * scale[c]
                                   + shift[c];
                        } else {
                            best = vec{} - 3.4e38f;
                            const int64_t t1 = std::min(d.t, (to + 1) * d.pool_t);
                            const int64_t h1 = std::min(d.h, (ho + 1) * d.pool_h);
                            const int64_t w1 = std::min(d.w, (wo + 1) * d.pool_w);
                            for (int64_t t = to * d.pool_t; t < t1; ++t)
                                for (int64_t h = ho * d.pool_h; h < h1; ++h)
                                    for (int64_t w = wo * d.pool_w; w < w1; ++w) {
                                        const int64_t at = ((c * d.t + t) * d.h + h) * d.w + w;
                                        const vec v = load(in + at * LANES) * scale[c] + shift[c];
                                        best = v > best ? v : best;
                                    }
                        }
                        store(out, (d.relu ? positive(best) : best) * mask);
                    }
            }
}

// ------------------------------------------------------------------------------ backward pass

struct Window {
    int64_t cells[512];
    int64_t n;
};

INLINE void window_cells(const Layer& d, int64_t c, int64_t to, int64_t ho, int64_t wo,
                         Window& out) {
    out.n = 0;
    for (int64_t t = to * d.pool_t; t < std::min(d.t, (to + 1) * d.pool_t); ++t)
        for (int64_t h = ho * d.pool_h; h < std::min(d.h, (ho + 1) * d.pool_h); ++h)
            for (int64_t w = wo * d.pool_w; w < std::min(d.w, (wo + 1) * d.pool_w); ++w)
                out.cells[out.n++] = (((c * d.t + t) * d.h + h) * d.w + w) * LANES;
}

// The gradient at the largest cell of a window, which cell that is, and the value of y there.
INLINE vec route(const Layer& d, const float* y, const Window& win, float scale, float shift,
                 vec gradient, ivec& chosen, vec& value) {
    value = load(y + win.cells[0]);
    vec best = value * scale + shift;
    chosen = ivec{};
    for (int64_t k = 1; k < win.n; ++k) {
        const vec raw = load(y + win.cells[k]);
        const vec v = raw * scale + shift;
        const ivec larger = v > best;
        best = larger ? v : best;
        value = larger ? raw : value;
        chosen = larger ? ivec{} + static_cast<int32_t>(k) : chosen;
    }
    return d.relu ? (best > 0 ? gradient : vec{}) : gradient;
}

// sums (channels, 2): sum of the gradient before the normalisation, and of it times (y - mean).
extern "C" void lanes_gradient_sums(const Layer* layer, const float* y, const float* gz,
                                    const float* scale, const float* shift, const float* mean,
                                    double* sums) {
    const Layer& d = *layer;
#pragma omp parallel for schedule(dynamic) num_threads(d.threads)
    for (int64_t c = 0; c < d.channels; ++c) {
        double total = 0, weighted = 0;
        Window win;
        for (int64_t g = 0; g < d.groups(); ++g)
            for (int64_t to = 0; to < d.out_t; ++to) {
                const float* in = y + g * d.outputs() * d.t * d.h * d.w * LANES;
                const float* grad =
                    gz + ((g * d.channels + c) * d.out_t + to) * d.out_h * d.out_w * LANES;
                for (int64_t ho = 0; ho < d.out_h; ++ho) {
                    vec s = {}, q = {};
                    for (int64_t wo = 0; wo < d.out_w; ++wo, grad += LANES) {
                        vec value;
                        ivec chosen;
                        if (d.phases_t * d.shifts() > 1) {
                            win.cells[0] = cell_of(d, c, to, ho, wo) * LANES;
                            win.n = 1;
                        } else {
                            window_cells(d, c, to, ho, wo, win);
                        }
                        const vec v =
                            route(d, in, win, scale[c], shift[c], load(grad), chosen, value);
                        s += v;
                        q += v * (value - mean[c]);
                    }
                    for (int64_t l = 0; l < d.valid(g); ++l) {
                        total += s[l];
                        weighted += q[l];
                    }
                }
            }
        sums[2 * c] = total;
        sums[2 * c + 1] = weighted;
    }
}

// Coefficients of the gradient through the normalisation: dy = a g + b + c y.
struct Through {
    const float *scale, *shift, *a, *b, *c;
};

// dy of one output plane of a decoder block, (T, 1, W) for row h.
static void unshuffle_row(const Layer& d, const float* y, const float* gz, const Through& n,
                          int64_t output, int64_t h, vec mask, float* dy) {
    const int64_t shift = output / d.out_channels, c = output % d.out_channels / d.phases_t;
    const int64_t phase_t = output % d.phases_t, ph = shift / d.phases_w, pw = shift % d.phases_w;
    for (int64_t t = 0; t < d.t; ++t)
        for (int64_t w = 0; w < d.w; ++w) {
            float* out = dy + (t * d.w + w) * LANES;
            const int64_t to = t * d.phases_t + phase_t, ho = h * d.phases_h + ph,
                          wo = w * d.phases_w + pw;
            if (to >= d.out_t || ho >= d.out_h || wo >= d.out_w) {
                store(out, vec{});
                continue;
            }
            const vec v = load(y + (((output * d.t + t) * d.h + h) * d.w + w) * LANES);
            vec g = load(gz + (((c * d.out_t + to) * d.out_h + ho) * d.out_w + wo) * LANES);
            if (d.relu) g = v * n.scale[c] + n.shift[c] > 0 ? g : vec{};
            store(out, (g * n.a[c] + n.b[c] + v * n.c[c]) * mask);
        }
}

// dy of channel c of an encoder block for the rows of pooled row ho, (T, rows, W).
static void unpool_rows(const Layer& d, const float* y, const float* gz, const Through& n,
                        int64_t c, int64_t ho, vec mask, float* dy) {
    const int64_t h0 = ho * d.pool_h, rows = std::min(d.h, h0 + d.pool_h) - h0;
    const int64_t origin = (c * d.t * d.h + h0) * d.w * LANES;
    Window win;
    for (int64_t to = 0; to < d.out_t; ++to)
        for (int64_t wo = 0; wo < d.out_w; ++wo) {
            window_cells(d, c, to, ho, wo, win);
            const int64_t at = ((c * d.out_t + to) * d.out_h + ho) * d.out_w + wo;
            ivec chosen;
            vec value;
            const vec g = route(d, y, win, n.scale[c], n.shift[c], load(gz + at * LANES), chosen,
                                value) * n.a[c];
            for (int64_t k = 0; k < win.n; ++k) {
                const vec v = load(y + win.cells[k]) * n.c[c] + n.b[c];
                const int64_t offset = win.cells[k] - origin;
                const int64_t t = offset / (d.h * d.w * LANES);
                const int64_t rest = offset - t * d.h * d.w * LANES;
                const ivec here = chosen == static_cast<int32_t>(k);
                store(dy + t * rows * d.w * LANES + rest, (v + (here ? g : vec{})) * mask);
            }
        }
}

// dy of one lane group, taken to the spectrum (planes, outputs, H, padded W).
static void gradient_spectrum(const Layer& d, const float* y, const float* gz, const Through& n,
                              int64_t valid, const float* packed, float* spectrum,
                              int64_t before, int64_t after) {
    const int64_t padded = before + d.w + after;
    const int64_t plane = stagger(d.outputs() * d.h * padded * LANES);
    const bool decoder = d.phases_t * d.shifts() > 1;
    const int64_t block = decoder ? 1 : d.pool_h;
    const int64_t blocks = (d.h + block - 1) / block;
    const vec mask = lane_mask(valid);
    const size_t per_thread = d.t * block * d.w * LANES;
#pragma omp parallel num_threads(d.threads)
    {
        float* dy = static_cast<float*>(std::aligned_alloc(64, (per_thread * 4 + 63) / 64 * 64));
#pragma omp for collapse(2) schedule(static)
        for (int64_t o = 0; o < d.outputs(); ++o)
            for (int64_t k = 0; k < blocks; ++k) {
                const int64_t h0 = k * block, rows = std::min(d.h, h0 + block) - h0;
                if (decoder) unshuffle_row(d, y, gz, n, o, h0, mask, dy);
                else unpool_rows(d, y, gz, n, o, k, mask, dy);
                for (int64_t r = 0; r < rows; ++r) {
                    float* row = spectrum + (o * d.h + h0 + r) * padded * LANES;
                    for (int64_t f = 0; f < d.planes; ++f) {
                        std::memset(row + f * plane, 0, before * LANES * 4);
                        std::memset(row + f * plane + (before + d.w) * LANES, 0,
                                    after * LANES * 4);
                    }
                    transform(dy + r * d.w * LANES, rows * d.w * LANES, d.t, packed,
                              row + before * LANES, plane, d.planes, d.w);
                }
            }
        std::free(dy);
    }
}

struct Product {
    const float *xa, *xb, *ga, *gb;
    int64_t x_row, g_row, g_channel, first, last, positions;
};

// How the two planes of x and of g enter: as they are, summed, or subtracted.
enum Mix { ONE, SUM, DIFFERENCE };

template <int OUT, int TAPS, Mix X, Mix G>
static void gradient_tile(const Product& p, float* out) {
    vec acc[OUT][TAPS] = {};
    for (int64_t h = p.first; h < p.last; ++h) {
        const float *xa = p.xa + h * p.x_row, *xb = p.xb + h * p.x_row;
        const float *ga = p.ga + h * p.g_row, *gb = p.gb + h * p.g_row;
        for (int64_t w = 0; w < p.positions; ++w) {
            vec g[OUT];
            UNROLL for (int o = 0; o < OUT; ++o) {
                g[o] = load(ga + o * p.g_channel + w * LANES);
                if (G == SUM) g[o] += load(gb + o * p.g_channel + w * LANES);
            }
            UNROLL for (int k = 0; k < TAPS; ++k) {
                vec x = load(xa + (w + k) * LANES);
                if (X == SUM) x += load(xb + (w + k) * LANES);
                if (X == DIFFERENCE) x -= load(xb + (w + k) * LANES);
                UNROLL for (int o = 0; o < OUT; ++o) acc[o][k] += g[o] * x;
            }
        }
    }
    UNROLL for (int o = 0; o < OUT; ++o)
        UNROLL for (int k = 0; k < TAPS; ++k) {
            float total = 0;
            for (int l = 0; l < LANES; ++l) total += acc[o][k][l];
            out[o * TAPS + k] = total;
        }
}

typedef void (*GradientTile)(const Product&, float*);
static GradientTile gradient_tiles[4][MAX_GRADIENT_OUT + 1][MAX_TAPS + 1];

template <int OUT, int TAPS>
static void fill_gradient_tiles() {
    if constexpr (OUT * TAPS <= GRADIENT_ACCUMULATORS) {
        gradient_tiles[0][OUT][TAPS] = gradient_tile<OUT, TAPS, ONE, ONE>;
        gradient_tiles[1][OUT][TAPS] = gradient_tile<OUT, TAPS, ONE, SUM>;
        gradient_tiles[2][OUT][TAPS] = gradient_tile<OUT, TAPS, SUM, ONE>;
        gradient_tiles[3][OUT][TAPS] = gradient_tile<OUT, TAPS, DIFFERENCE, ONE>;
    }
    if constexpr (TAPS < MAX_TAPS) fill_gradient_tiles<OUT, TAPS + 1>();
    else if constexpr (OUT < MAX_GRADIENT_OUT) fill_gradient_tiles<OUT + 1, 1>();
}

// Gradient to the weights of one frequency: gw (outputs, C, kh, kw), added to what is there.
static void weight_gradient(const Layer& d, const float* x, int64_t x_plane, int64_t x_padded,
                            int64_t x_before, const float* g, int64_t g_plane, int64_t g_padded,
                            int64_t g_before, bool complex, int64_t shift, float* re, float* im) {
    const Tiling columns(d.kw, std::min(MAX_TAPS, GRADIENT_ACCUMULATORS));
    const int64_t widest = columns.size(columns.number - 1);
    const Tiling cut(d.out_channels,
                     std::min<int64_t>(MAX_GRADIENT_OUT, GRADIENT_ACCUMULATORS / widest));
    float sums[3][GRADIENT_ACCUMULATORS];
    for (int64_t k = 0; k < cut.number; ++k)
        for (int64_t i = 0; i < d.in_channels; ++i)
            for (int64_t r = 0; r < d.kh; ++r)
                for (int64_t q = 0; q < columns.number; ++q) {
                    const int64_t o0 = shift * d.out_channels + cut.begin(k), n = cut.size(k);
                    const int64_t taps = columns.size(q), top = r + d.row_of(shift);
                    const int64_t left = x_before + d.column_of(shift) + columns.begin(q);
                    Product p{};
                    p.x_row = x_padded * LANES;
                    p.g_row = g_padded * LANES;
                    p.g_channel = d.h * p.g_row;
                    p.first = std::max<int64_t>(0, -top);
                    p.last = std::min(d.h, d.h - top);
                    p.positions = d.w;
                    p.xa = x + ((i * d.h + top) * x_padded + left) * LANES;
                    p.xb = p.xa + x_plane;
                    p.ga = g + o0 * p.g_channel + g_before * LANES;
                    p.gb = p.ga + g_plane;
                    const int64_t at = ((o0 * d.in_channels + i) * d.kh + r) * d.kw
                                       + columns.begin(q);
                    const int64_t step = d.in_channels * d.kh * d.kw;
                    gradient_tiles[complex ? 1 : 0][n][taps](p, sums[0]);
                    if (complex) {
                        gradient_tiles[2][n][taps](p, sums[1]);
                        p.ga = p.gb;
                        gradient_tiles[3][n][taps](p, sums[2]);
                    }
                    for (int64_t o = 0; o < n; ++o)
                        for (int64_t c = 0; c < taps; ++c) {
                            const int64_t j = o * taps + c, to = at + o * step + c;
                            re[to] += complex ? sums[0][j] - sums[2][j] : sums[0][j];
                            if (complex) im[to] += sums[0][j] - sums[1][j];
                        }
                }
}

// Gradients of a block. coefficients (5, channels): scale, shift, a, b, c of struct Through.
// weight (sets, C, shifts, out_channels, kh, kw): conjugated, taps reversed.
// forward (planes, T) analyses x; adjoint (planes, T) analyses dy; inverse (T, planes) gives gx.
// gx (groups, C, T, H, W) or null; gw (planes, shifts * out_channels, C, kh, kw) is added to.
extern "C" void lanes_backward(const Layer* layer, const float* x, const float* y,
                               const float* gz, const float* coefficients, const float* weight,
                               const float* forward, const float* adjoint, const float* inverse,
                               float* gx, float* gw) {
    std::lock_guard<std::mutex> lock(guard);
    const Layer& d = *layer;
    const int64_t before = d.pad_before(), after = d.pad_after(), padded = before + d.w + after;
    // The taps reversed: the gradient's rows need the padding of the other side.
    const int64_t inner = d.out_channels * d.kh * d.kw, outputs = d.outputs();
    const int64_t per_channel = d.shifts() * inner, set = d.in_channels * per_channel;
    const Through through{coefficients, coefficients + d.channels,
                          coefficients + 2 * d.channels, coefficients + 3 * d.channels,
                          coefficients + 4 * d.channels};
    float* analysis = scratch(0, d.planes * d.t);
    float* of_gradient = scratch(1, d.planes * d.t);
    float* synthesis = scratch(6, d.planes * d.t);
    float* packed = scratch(2, d.sets() * set);
    pack(forward, analysis, d.planes, d.t, d.t);
    pack(adjoint, of_gradient, d.planes, d.t, d.t);
    pack(inverse, synthesis, d.t, d.planes, d.planes);
    if (gx) {
#pragma omp parallel for collapse(2) num_threads(d.threads)
        for (int64_t k = 0; k < d.sets(); ++k)
            for (int64_t s = 0; s < d.shifts(); ++s)
                pack(weight + k * set + s * inner, packed + k * set + s * d.in_channels * inner,
                     d.in_channels, per_channel, inner);
    }
    const int64_t x_plane = stagger(d.in_channels * d.h * padded * LANES);
    const int64_t g_plane = stagger(outputs * d.h * padded * LANES);
    const int64_t i_plane = stagger(d.in_channels * d.h * d.w * LANES);
    float* x_spectrum = scratch(3, d.planes * x_plane);
    float* g_spectrum = scratch(4, d.planes * g_plane);
    float* i_spectrum = gx ? scratch(5, d.planes * i_plane) : nullptr;
    const Tiling cut(d.in_channels, widest_out());
    const int64_t units = d.units(), parts = d.shifts() + (gx ? 1 : 0);

    for (int64_t g = 0; g < d.groups(); ++g) {
        const int64_t in_size = d.in_channels * d.t * d.h * d.w * LANES;
        analyse(d, x + g * in_size, analysis, x_spectrum, before, after);
        gradient_spectrum(d, y + g * outputs * d.t * d.h * d.w * LANES,
                          gz + g * d.channels * d.out_t * d.out_h * d.out_w * LANES, through,
                          d.valid(g), of_gradient, g_spectrum, after, before);
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(d.threads)
        for (int64_t u = units - 1; u >= 0; --u)
            for (int64_t part = 0; part < parts; ++part) {
                const bool complex = u >= d.real_planes;
                const int64_t f = complex ? 2 * u - d.real_planes : u;
                const float* gf = g_spectrum + f * g_plane;
                if (part < d.shifts()) {
                    float* re = gw + f * outputs * d.in_channels * d.kh * d.kw;
                    weight_gradient(d, x_spectrum + f * x_plane, x_plane, padded, before, gf,
                                    g_plane, padded, after, complex, part, re,
                                    re + outputs * d.in_channels * d.kh * d.kw);
                    continue;
                }
                const int64_t w_set = complex ? 3 * u - 2 * d.real_planes : u;
                for (int64_t k = 0; k < cut.number; ++k)
                    for (int64_t h = 0; h < d.h; ++h) {
                        Source sources[MAX_SHIFTS];
                        int64_t n = 0;
                        for (int64_t shift = 0; shift < d.shifts(); ++shift) {
                            Source& s = sources[n];
                            const int64_t top = h - (d.kh - 1) - d.row_of(shift);
                            const int64_t left = after - (d.kw - 1) - d.column_of(shift);
                            s.weight = packed + w_set * set + shift * d.in_channels * inner
                                       + cut.begin(k) * inner;
                            s.set = set;
                            s.channels = d.out_channels;
                            s.channel_stride = d.h * padded * LANES;
                            s.row_stride = padded * LANES;
                            s.tap_stride = LANES;
                            s.kh = d.kh;
                            s.kw = d.kw;
                            s.first_row = std::max<int64_t>(0, -top);
                            s.last_row = std::min(d.kh, d.h - top);
                            s.a = gf + shift * d.out_channels * s.channel_stride
                                  + (top * padded + left) * LANES;
                            s.b = complex ? s.a + g_plane : nullptr;
                            if (s.first_row < s.last_row) ++n;
                        }
                        float* re = i_spectrum + f * i_plane
                                    + (cut.begin(k) * d.h + h) * d.w * LANES;
                        run_row(sources, n, complex, cut.size(k), re,
                                complex ? re + i_plane : re, d.h * d.w * LANES, d.w);
                    }
            }
        if (!gx) continue;
#pragma omp parallel for collapse(2) num_threads(d.threads)
        for (int64_t c = 0; c < d.in_channels; ++c)
            for (int64_t h = 0; h < d.h; ++h)
                transform(i_spectrum + (c * d.h + h) * d.w * LANES, i_plane, d.planes, synthesis,
                          gx + g * in_size + (c * d.t * d.h + h) * d.w * LANES,
                          d.h * d.w * LANES, d.t, d.w);
    }
}

// ------------------------------------------------------------ one trial: positions in the lanes

// Weights (sets, shifts, out_channels, C, kh, kw) packed for lanes_flat.
extern "C" void lanes_pack(const Layer* layer, const float* weight, float* packed) {
    const Layer& d = *layer;
    const int64_t inner = d.in_channels * d.kh * d.kw, block = d.out_channels * inner;
#pragma omp parallel for num_threads(d.threads)
    for (int64_t k = 0; k < d.sets() * d.shifts(); ++k)
        pack(weight + k * block, packed + k * block, d.out_channels, inner, inner);
}

// Rows of a frame one after the other, zeros between them and around: a shift by a tap is a shift
// of the whole frame, and LANES neighbouring positions fill a vector.
struct Frame {
    int64_t above, below, gap, row, vectors, floats;
    explicit Frame(const Layer& d) {
        above = below = 0;
        for (int64_t p = 0; p < d.phases_h; ++p) {
            above = std::max(above, -d.row_offset[p]);
            below = std::max(below, d.kh - 1 + d.row_offset[p]);
        }
        gap = std::max(d.pad_before(), d.pad_after());
        row = d.w + gap;
        vectors = (d.h * row + LANES - 1) / LANES;
        floats = stagger((above + below + 2) * row + (vectors + 1) * LANES);
    }
    int64_t origin() const { return gap + above * row; }
};

// The values of channel c at (T, frame positions) -> pooled, or one phase of a shuffled, output.
static void finish_flat(const Layer& d, const Frame& f, const float* y, int64_t c, int64_t output,
                        float scale, float shift, float* z) {
    const int64_t step = f.vectors * LANES;
    float* out = z + c * d.out_t * d.out_h * d.out_w;
    if (d.phases_t * d.shifts() > 1) {
        const int64_t phase = output / d.out_channels, pt = output % d.phases_t;
        const int64_t ph = phase / d.phases_w, pw = phase % d.phases_w;
        for (int64_t t = 0; t < d.t; ++t)
            for (int64_t h = 0; h < d.h; ++h) {
                const int64_t to = t * d.phases_t + pt, ho = h * d.phases_h + ph;
                if (to >= d.out_t || ho >= d.out_h) continue;
                float* to_row = out + (to * d.out_h + ho) * d.out_w + pw;
                const float* from = y + t * step + h * f.row;
                const int64_t n = inside(d.w, d.out_w, d.phases_w, pw);
                for (int64_t w = 0; w < n; ++w) {
                    const float v = from[w] * scale + shift;
                    to_row[w * d.phases_w] = d.relu ? std::max(v, 0.0f) : v;
                }
            }
        return;
    }
    std::vector<float> best(d.w);
    for (int64_t to = 0; to < d.out_t; ++to)
        for (int64_t ho = 0; ho < d.out_h; ++ho) {
            std::fill(best.begin(), best.end(), d.relu ? 0.0f : -3.4e38f);
            for (int64_t t = to * d.pool_t; t < std::min(d.t, (to + 1) * d.pool_t); ++t)
                for (int64_t h = ho * d.pool_h; h < std::min(d.h, (ho + 1) * d.pool_h); ++h) {
                    const float* from = y + t * step + h * f.row;
                    for (int64_t w = 0; w < d.w; ++w)
                        best[w] = std::max(best[w], from[w] * scale + shift);
                }
            float* to_row = out + (to * d.out_h + ho) * d.out_w;
            for (int64_t wo = 0; wo < d.out_w; ++wo) {
                float v = best[wo * d.pool_w];
                for (int64_t w = wo * d.pool_w; w < std::min(d.w, (wo + 1) * d.pool_w); ++w)
                    v = std::max(v, best[w]);
                to_row[wo] = v;
            }
        }
}

// z (B, channels, out_t, out_h, out_w) of x (B, C, T, H, W), for few trials and no gradient.
extern "C" void lanes_flat(const Layer* layer, const float* x, const float* packed,
                           const float* forward, const float* backward, const float* scale,
                           const float* shift, float* z) {
    std::lock_guard<std::mutex> lock(guard);
    const Layer& d = *layer;
    const Frame f(d);
    const int64_t inner = d.in_channels * d.kh * d.kw, outputs = d.outputs();
    const int64_t set = outputs * inner, units = d.units(), area = d.h * d.w;
    const int64_t vectors = (area + LANES - 1) / LANES, channel = vectors * LANES;
    float* analysis = scratch(0, d.planes * d.t);
    float* synthesis = scratch(1, d.planes * d.t);
    pack(forward, analysis, d.planes, d.t, d.t);
    pack(backward, synthesis, d.t, d.planes, d.planes);
    const int64_t x_plane = stagger(d.in_channels * f.floats);
    const int64_t y_channel = f.vectors * LANES, y_plane = stagger(outputs * y_channel);
    float* spectrum = scratch(3, d.planes * x_plane);
    float* product = scratch(4, d.planes * y_plane);
    const Tiling cut(d.out_channels, widest_out());
    std::memset(spectrum, 0, d.planes * x_plane * 4);
    for (int64_t trial = 0; trial < d.batch; ++trial) {
        const float* in = x + trial * d.in_channels * d.t * area;
#pragma omp parallel num_threads(d.threads)
        {
            std::vector<float> copy(d.t * channel), rows(d.planes * channel);
#pragma omp for schedule(static)
            for (int64_t c = 0; c < d.in_channels; ++c) {
                for (int64_t t = 0; t < d.t; ++t)
                    std::memcpy(copy.data() + t * channel, in + (c * d.t + t) * area, area * 4);
                transform(copy.data(), channel, d.t, analysis, rows.data(), channel, d.planes,
                          vectors);
                for (int64_t p = 0; p < d.planes; ++p)
                    for (int64_t h = 0; h < d.h; ++h)
                        std::memcpy(spectrum + p * x_plane + c * f.floats + f.origin() + h * f.row,
                                    rows.data() + p * channel + h * d.w, d.w * 4);
            }
#pragma omp for collapse(3) schedule(dynamic)
            for (int64_t u = units - 1; u >= 0; --u)
                for (int64_t phase = 0; phase < d.shifts(); ++phase)
                    for (int64_t k = 0; k < cut.number; ++k) {
                        const bool complex = u >= d.real_planes;
                        const int64_t p = complex ? 2 * u - d.real_planes : u;
                        const int64_t w_set = complex ? 3 * u - 2 * d.real_planes : u;
                        const int64_t first = phase * d.out_channels + cut.begin(k);
                        Source s{};
                        s.weight = packed + w_set * set + first * inner;
                        s.set = set;
                        s.channels = d.in_channels;
                        s.channel_stride = f.floats;
                        s.row_stride = f.row;
                        s.tap_stride = 1;
                        s.kh = s.last_row = d.kh;
                        s.kw = d.kw;
                        s.a = spectrum + p * x_plane + f.origin() + d.row_of(phase) * f.row
                              + d.column_of(phase);
                        s.b = complex ? s.a + x_plane : nullptr;
                        float* re = product + p * y_plane + first * y_channel;
                        run_row(&s, 1, complex, cut.size(k), re, complex ? re + y_plane : re,
                                y_channel, f.vectors);
                    }
            std::vector<float> y(d.t * y_channel);
#pragma omp for schedule(dynamic)
            for (int64_t o = 0; o < outputs; ++o) {
                const int64_t c = o % d.out_channels / d.phases_t;
                transform(product + o * y_channel, y_plane, d.planes, synthesis, y.data(),
                          y_channel, d.t, f.vectors);
                finish_flat(d, f, y.data(), c, o, scale[c], shift[c],
                            z + trial * d.channels * d.out_t * d.out_h * d.out_w);
            }
        }
    }
}

// --------------------------------------------------------------------------- similarity of frames

struct Similarity {
    int64_t frames, h, w, window, margin, threads;  // margin: mirrored border, 0 for "valid"
    float c1, c2;
};

// Buffers of one thread: rows of a padded frame, `stride` floats apart, room for over-reading.
struct Maps {
    int64_t h, w, out_h, out_w, stride, reach;
    std::vector<float> data;
    explicit Maps(const Similarity& d) {
        h = d.h + 2 * d.margin;
        w = d.w + 2 * d.margin;
        out_h = h - d.window + 1;
        out_w = w - d.window + 1;
        reach = d.window - 1;
        stride = (w + 2 * reach + 2 * LANES) / LANES * LANES;
        data.assign(12 * (h + 1) * stride, 0.0f);
    }
    float* map(int k) { return data.data() + k * (h + 1) * stride; }
};

// out (rows, n) = taps along a row of in, or down its columns (step = stride).
INLINE void blur(const float* in, float* out, const float* taps, int64_t window, int64_t step,
                 int64_t rows, int64_t n, int64_t stride) {
    for (int64_t y = 0; y < rows; ++y)
        for (int64_t x = 0; x < n; x += LANES) {
            const float* from = in + y * stride + x;
            vec sum = {};
            for (int64_t k = 0; k < window; ++k) sum += load(from + k * step) * taps[k];
            store(out + y * stride + x, sum);
        }
}

INLINE int64_t mirrored(int64_t at, int64_t length) {
    return at < 0 ? -at - 1 : at >= length ? 2 * length - 1 - at : at;
}

// Mean similarity of one frame; its gradient to p where `gradient` is given.
static float frame_similarity(const Similarity& d, Maps& m, const float* p, const float* t,
                              const float* taps, float* gradient) {
    float *mp = m.map(0), *mt = m.map(1), *cross = m.map(2), *squares = m.map(3), *tmp = m.map(4);
    float *bp = m.map(5), *bt = m.map(6), *bc = m.map(7), *bs = m.map(8);
    for (int64_t y = 0; y < m.h; ++y)
        for (int64_t x = 0; x < m.w; ++x) {
            const int64_t from = mirrored(y - d.margin, d.h) * d.w + mirrored(x - d.margin, d.w);
            const int64_t at = y * m.stride + x;
            const float a = p[from], b = t[from];
            mp[at] = a;
            mt[at] = b;
            cross[at] = a * b;
            squares[at] = a * a + b * b;
        }
    float* ins[4] = {mp, mt, cross, squares};
    float* outs[4] = {bp, bt, bc, bs};
    for (int k = 0; k < 4; ++k) {
        blur(ins[k], tmp, taps, d.window, m.stride, m.out_h, m.w, m.stride);
        blur(tmp, outs[k], taps, d.window, 1, m.out_h, m.out_w, m.stride);
    }
    const float scale = 1.0f / static_cast<float>(m.out_h * m.out_w);
    double total = 0;
    // Gradients to the blurred p, to the blurred product and to the blurred squares, with zeros
    // around them, so that the same symmetric taps carry them back.
    float *gp = m.map(9), *gc = m.map(10), *gs = m.map(11);
    for (int64_t y = 0; y < m.out_h; ++y) {
        vec sum = {};
        for (int64_t x = 0; x < m.out_w; x += LANES) {
            const int64_t at = y * m.stride + x;
            const vec a = load(bp + at), b = load(bt + at);
            const vec a1 = 2 * a * b + d.c1, a2 = 2 * (load(bc + at) - a * b) + d.c2;
            const vec b1 = a * a + b * b + d.c1, b2 = load(bs + at) - a * a - b * b + d.c2;
            const vec inverse = 1 / (b1 * b2), s = a1 * a2 * inverse;
            const vec inside = lane_mask(m.out_w - x);
            sum += s * inside;
            if (!gradient) continue;
            const vec to_cross = 2 * a1 * inverse, to_squares = -s * b1 * inverse;
            const vec to_mean = 2 * b * a2 * inverse - 2 * a * s * b2 * inverse - b * to_cross
                                - 2 * a * to_squares;
            const vec weight = inside * scale;
            store(gp + at + m.reach, to_mean * weight);
            store(gc + at + m.reach, to_cross * weight);
            store(gs + at + m.reach, to_squares * weight);
        }
        for (int l = 0; l < LANES; ++l) total += sum[l];
    }
    if (!gradient) return static_cast<float>(total * scale);
    float* grads[3] = {gp, gc, gs};
    for (int k = 0; k < 3; ++k) {
        blur(grads[k], tmp, taps, d.window, 1, m.out_h, m.w, m.stride);
        for (int64_t y = 0; y < m.h; ++y) {
            const int64_t first = std::max<int64_t>(0, m.reach - y);
            const int64_t last = std::min(d.window, m.out_h + m.reach - y);
            for (int64_t x = 0; x < m.w; x += LANES) {
                vec sum = {};
                for (int64_t j = first; j < last; ++j)
                    sum += load(tmp + (y - m.reach + j) * m.stride + x) * taps[j];
                store(outs[k] + y * m.stride + x, sum);
            }
        }
    }
    if (d.margin) std::memset(gradient, 0, d.h * d.w * 4);
    for (int64_t y = 0; y < m.h; ++y) {
        float* row = gradient + mirrored(y - d.margin, d.h) * d.w;
        for (int64_t x = 0; x < m.w; ++x) {
            const int64_t at = y * m.stride + x;
            const float g = bp[at] + mt[at] * bt[at] + 2 * mp[at] * bc[at];
            if (d.margin) row[mirrored(x - d.margin, d.w)] += g;
            else row[x] = g;
        }
    }
    return static_cast<float>(total * scale);
}

// values (frames) and, unless null, gradient (frames, H, W) of the mean similarity of p and t.
extern "C" void lanes_similarity(const Similarity* given, const float* p, const float* t,
                                 const float* taps, float* values, float* gradient) {
    const Similarity& d = *given;
#pragma omp parallel num_threads(d.threads)
    {
        Maps maps(d);
#pragma omp for schedule(static)
        for (int64_t f = 0; f < d.frames; ++f) {
            const int64_t at = f * d.h * d.w;
            values[f] = frame_similarity(d, maps, p + at, t + at, taps,
                                         gradient ? gradient + at : nullptr);
        }
    }
}

__attribute__((constructor)) static void fill_tables() {
    fill_tiles<1, 1>();
    fill_gradient_tiles<1, 1>();
}
