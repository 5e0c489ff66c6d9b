#pragma once
// fork(): a child has only the thread that forked. It starts threads of its own when it needs them, and finds
// every lock open.

namespace adjoint {

/// To be called before the first second thread and the first lock; later calls do nothing, as do all where
/// there is no fork().
void install_fork_handlers();

}  // namespace adjoint
