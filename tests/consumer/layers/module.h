#pragma once
// A header of the consumer, not of the library.
inline int own_module() { return 7; }
