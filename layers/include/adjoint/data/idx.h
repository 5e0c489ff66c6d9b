#pragma once
// IDX files, the format of MNIST: a header with the sizes of the axes, then one byte per value.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adjoint/io/file_error.h"

namespace adjoint {

/// An array of unsigned bytes: values holds the product of sizes, in row-major order.
struct IdxFile {
  std::vector<std::int64_t> sizes;
  std::vector<std::uint8_t> values;
};

struct IdxOptions {
  /// The most bytes of values that a file may hold: 1 MB of gzip can unpack to 1 GB. MNIST has 47 MB. The
  /// default is enough for EMNIST ByClass, which has 547 MB.
  std::int64_t max_bytes = std::int64_t{768} << 20;
};

/// The contents of an IDX file of unsigned bytes, plain or gzipped (the first bytes decide, not the name). A
/// gzip file may have several members and end in padding, which is zero bytes. Throws FileError when the file
/// is missing, unreadable, not IDX, of another element type, corrupt, when its header announces more than
/// max_bytes, and when it holds fewer or more bytes than its header says. Memory grows with what the file
/// really holds, not with what its header claims.
IdxFile read_idx(const std::string& path, const IdxOptions& options = {});

/// As above, from bytes in memory; name stands for the file in messages.
IdxFile read_idx(std::span<const std::uint8_t> bytes, const std::string& name,
                 const IdxOptions& options = {});

}  // namespace adjoint
