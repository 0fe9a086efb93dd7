# Compiler flags, all in one place: the interface target `qfast_options`, and the flags of each ISA file.

string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
if(processor MATCHES "^(x86_64|amd64)$")
  set(QFAST_X86_64 ON)
else()
  set(QFAST_X86_64 OFF)
endif()

include(CheckCXXCompilerFlag)
check_cxx_compiler_flag(-fcx-limited-range QFAST_HAS_LIMITED_RANGE)  # GCC; Clang from 18

add_library(qfast_options INTERFACE)
target_compile_options(qfast_options INTERFACE
  -Wall -Wextra -Wconversion
  # GCC 12 warns falsely of overlapping copies inside std::string (GCC bug 105329).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<BOOL:${QFAST_WERROR}>:-Werror>
  # Contraction is the compiler's choice per inlining and per ISA: results would differ in the last bit.
  -ffp-contract=off
  -fno-math-errno
  # Complex products and quotients by the textbook: the numbers are entries of unitaries, neither huge nor tiny.
  $<$<BOOL:${QFAST_HAS_LIMITED_RANGE}>:-fcx-limited-range>)
if(QFAST_X86_64 AND QFAST_PORTABLE)
  target_compile_options(qfast_options INTERFACE -march=x86-64-v2)
endif()

if(QFAST_SANITIZE STREQUAL "address")
  set(sanitizer -fsanitize=address,undefined -fno-sanitize-recover=undefined)
elseif(QFAST_SANITIZE STREQUAL "thread")
  set(sanitizer -fsanitize=thread)
elseif(QFAST_SANITIZE)
  message(FATAL_ERROR "QFAST_SANITIZE is '${QFAST_SANITIZE}'; it may be address, thread or empty")
endif()
if(QFAST_SANITIZE)
  # -O1: the kernels are large functions, which take minutes to optimise with every access instrumented.
  target_compile_options(qfast_options INTERFACE ${sanitizer} -fno-omit-frame-pointer -O1 -g)
  target_link_options(qfast_options INTERFACE ${sanitizer})
elseif(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  target_link_options(qfast_options INTERFACE -Wl,-z,relro -Wl,-z,now)
endif()

# Gives each kernels/isa_<name>.cc the instruction set it is named after. They come after the common flags, so
# -mavx2 adds to x86-64-v2.
function(qfast_set_isa_options)
  set(avx2 -mavx2 -mfma -mbmi -mbmi2)
  set(isa_baseline -march=x86-64-v2)
  set(isa_avx2 -march=x86-64-v2 ${avx2})
  set(isa_avx512 -march=x86-64-v2 ${avx2} -mavx512f -mavx512dq -mavx512bw -mavx512vl -mprefer-vector-width=512)
  if(NOT QFAST_X86_64)
    return()  # the baseline of the processor is the compiler's default
  endif()
  foreach(source IN LISTS ARGN)
    get_filename_component(isa ${source} NAME_WE)
    if(NOT DEFINED ${isa})
      message(FATAL_ERROR "No compiler flags are known for ${source}; add a line for '${isa}' in "
        "cmake/compile_options.cmake")
    endif()
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${${isa}}")
  endforeach()
endfunction()
