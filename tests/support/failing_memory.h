#pragma once
// Allocations that fail on demand. Replaces the program's operator new.

#include <cstdint>
#include <functional>

namespace adjoint::support {

enum class Failing { no, from_one_on, one_and_the_next_of_its_thread };

enum class Outcome { came_out, went_well, nothing_failed };

/// Calls work(), in which the allocation after the first `first` ones fails, in any thread, and later ones as
/// `how` says. Returns whether it threw std::bad_alloc.
Outcome with_failure(Failing how, std::int64_t first, const std::function<void()>& work);

}  // namespace adjoint::support
