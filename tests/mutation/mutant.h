#pragma once
// Included before everything in the build with mutants. ADJOINT_MUTANT(n) is true if the environment variable
// ADJOINT_MUTANT is n.

#include <cstdlib>

namespace adjoint::mutation {

inline int number_from_environment() {
  const char* number = std::getenv("ADJOINT_MUTANT");
  return number != nullptr ? std::atoi(number) : 0;  // no mutant has 0
}

inline const int chosen = number_from_environment();

}  // namespace adjoint::mutation

#define ADJOINT_MUTANT(number) (::adjoint::mutation::chosen == (number))
