#pragma once
// The header of a safetensors file: JSON that says which tensors the file holds and where.

#include <cstdint>
#include <deque>
#include <string>

#include "adjoint/modules/module.h"

namespace adjoint {

/// A tensor as a header describes it: its values are the bytes [begin, end) behind the header.
struct TensorEntry {
  std::string name;
  DType dtype;
  Shape shape;
  std::int64_t begin, end;
};

/// The header for state, with values that follow each other without gaps. Throws Error when a tensor is
/// undefined or a name occurs twice, is "__metadata__" or is not UTF-8, and when the header is longer than
/// the format allows.
std::string format_safetensors_header(const StateDict& state);

/// The tensors that a header describes, before data_bytes of values; in the order of the header. Throws
/// FileError, which names the file, unless it is what the format describes
/// (https://github.com/huggingface/safetensors): one JSON object whose tensors fill the values without gaps
/// and whose metadata, which are skipped, are strings; no key comes twice, and nothing but spaces follows.
/// It takes memory of at most a few times the header's size.
std::deque<TensorEntry> parse_safetensors_header(std::string header, std::int64_t data_bytes,
                                                 const std::string& file);

/// The longest header that readers of the format accept.
inline constexpr std::int64_t kMostHeaderBytes = 100'000'000;

}  // namespace adjoint
