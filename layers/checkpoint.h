#pragma once
// A network's values in a file, in the safetensors format (https://github.com/huggingface/safetensors), which
// other systems read too: the length of the header in 8 bytes, the header in JSON, the values. All
// little-endian; float32, float64 and int64 are F32, F64 and I64.

#include <string>

#include "layers/idx.h"
#include "layers/module.h"

namespace adjoint {

/// Writes state to a new file that takes path's place once it is whole and on the disk; until then, and on
/// any error, what was there stays. Throws Error, before touching any file, when a tensor is undefined or a
/// name comes twice, is "__metadata__" or no UTF-8; FileError when the file cannot be written or path is
/// something else than a file.
///
///     save_checkpoint("net.safetensors", net.state_dict());
void save_checkpoint(const std::string& path, const StateDict& state);

/// The tensors of a safetensors file in the order of its header; its metadata are ignored. Throws FileError
/// when it is missing, unreadable or not such a file, whole to the last byte, or has elements of another
/// type. Memory grows with the file's size,
/// whatever its header claims.
///
///     net.load_state_dict(load_checkpoint("net.safetensors"));
StateDict load_checkpoint(const std::string& path);

}  // namespace adjoint
