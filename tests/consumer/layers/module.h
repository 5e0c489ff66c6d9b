#pragma once
// Not ours.
inline int own_module() { return 7; }
