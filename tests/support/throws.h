#pragma once
// EXPECT_THROWS(Type, text, statement): the statement throws a Type whose message is exactly text.

#include <gtest/gtest.h>
#include <string>

#define EXPECT_THROWS(type, text, ...)                                    \
  EXPECT_THROW(                                                           \
      try { static_cast<void>(__VA_ARGS__); } catch (const type& error) { \
        EXPECT_EQ(std::string(error.what()), text);                       \
        throw;                                                            \
      },                                                                  \
      type)
