#pragma once
// fork(): a child has only the thread that forked. It starts its own threads when it needs them, and finds
// every lock unlocked.

namespace adjoint {

/// Call before starting a thread or taking a lock. Later calls do nothing; so do all calls on systems without
/// fork().
void install_fork_handlers();

}  // namespace adjoint
