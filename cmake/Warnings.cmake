# One interface target that every target of ours links: language level, feature macros and warnings.
add_library(dropbridge_flags INTERFACE)
target_compile_definitions(dropbridge_flags INTERFACE _GNU_SOURCE DROPBRIDGE_VERSION="${PROJECT_VERSION}"
  DROPBRIDGE_TIMER_DIVISOR=${DROPBRIDGE_TIMER_DIVISOR})
target_compile_options(dropbridge_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wno-sign-conversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wformat=2 -Wundef -Wcast-qual -Wwrite-strings -Wvla -Wswitch-enum -fno-omit-frame-pointer -fstack-protector-strong)
# Returns and indirect jumps go only where they may, and no frame jumps over the guard page of a stack.
include(CheckCCompilerFlag)
foreach(flag -fcf-protection -mbranch-protection=standard -fstack-clash-protection)
  string(MAKE_C_IDENTIFIER "HAS${flag}" has)
  check_c_compiler_flag(${flag} ${has})
  if(${has})
    target_compile_options(dropbridge_flags INTERFACE ${flag})
  endif()
endforeach()
include(CheckPIESupported)
check_pie_supported()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(DROPBRIDGE_WERROR)
  target_compile_options(dropbridge_flags INTERFACE -Werror)
endif()
if(CMAKE_BUILD_TYPE MATCHES "Rel")
  if(CMAKE_C_COMPILER_ID STREQUAL GNU AND CMAKE_C_COMPILER_VERSION VERSION_LESS 12)
    target_compile_definitions(dropbridge_flags INTERFACE _FORTIFY_SOURCE=2)
  else()
    target_compile_definitions(dropbridge_flags INTERFACE _FORTIFY_SOURCE=3)
  endif()
endif()
