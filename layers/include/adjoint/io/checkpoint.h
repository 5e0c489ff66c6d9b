#pragma once
// A network's values in a file, in the safetensors format (https://github.com/huggingface/safetensors), which
// other systems read too: the length of the header in 8 bytes, the header in JSON, the values. All
// little-endian; float32, float64, int64 and boolean are F32, F64, I64 and BOOL.

#include <string>

#include "adjoint/io/file_error.h"
#include "adjoint/modules/module.h"

namespace adjoint {

/// Writes state to a new file. When this file is complete and on the disk, it replaces the file at path.
/// Until then, and after any error, the old file stays. The new file has the mode, owner and group of the old
/// one. If the system does not allow these, the new file gives no user more access than the old one. A
/// symbolic link is followed. A killed save leaves only a file .adjoint-partial-XXXXXXXX beside it, which the
/// next save into the directory removes. Throws Error, before touching any file, when a tensor is undefined
/// or a name occurs twice, is "__metadata__" or is not UTF-8; FileError in the cases of check_can_save(), and
/// when the file cannot be written. A complete file that cannot take the place of path stays beside it; the
/// error says where.
///
///     save_checkpoint("net.safetensors", net.state_dict());
void save_checkpoint(const std::string& path, const StateDict& state);

/// For use before a long training: throws FileError unless a file can be saved to path. path must be
/// new in a directory where files can be created, or a regular file with permission to write and to replace
/// it. It must not be a mount point, or another user's file in a directory with the sticky bit. The file at
/// path does not change; a temporary file is created beside it and removed.
void check_can_save(const std::string& path);

/// The tensors of a safetensors file in the order of its header; its metadata are ignored. Throws FileError
/// when the file is missing, unreadable or not a complete file of this format, and when it has elements of
/// another type. The memory used is bounded by the size of the file, whatever its header claims.
///
///     net.load_state_dict(load_checkpoint("net.safetensors"));
StateDict load_checkpoint(const std::string& path);

}  // namespace adjoint
