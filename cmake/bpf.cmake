# BPF programs and their skeletons, through clang and bpftool. Needs no kernel BTF.
string(TOLOWER ${CMAKE_SYSTEM_PROCESSOR} processor)
if(processor MATCHES "x86_64|amd64")
  set(BPF_TARGET_ARCH x86)
elseif(processor MATCHES "aarch64|arm64")
  set(BPF_TARGET_ARCH arm64)
else()
  message(FATAL_ERROR "plumb knows no register layout for ${processor}; x86-64 and arm64 are supported")
endif()

option(PLUMB_BPF_LINES "Keep the lines of source that the verifier's log can quote (plumb -v)" OFF)

# plumb_bpf_compile(SOURCE TOOL ARCHITECTURE OBJECT)
# -mcpu=v3: 32-bit registers and jumps, from Linux 5.1. -g: BTF for CO-RE; the DWARF is stripped again. BTF names the
# source files: the prefix maps keep the build machine's folders out of the executable. drop_lines leaves out which line
# each instruction comes from, and bpftool's linker the relocations and labels of every line: nothing needs them at run time.
function(plumb_bpf_compile source tool architecture object)
  get_filename_component(folder ${object} DIRECTORY)
  file(MAKE_DIRECTORY ${folder})
  set(drop_lines COMMAND python3 ${CMAKE_SOURCE_DIR}/cmake/drop_lines.py ${object}.compiled)
  if(PLUMB_BPF_LINES)
    set(drop_lines)
  endif()
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${BPF_CLANG} -target bpf -mcpu=v3 -O2 -g -Wall -Werror -fno-stack-protector
            -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -ffile-prefix-map=${CMAKE_BINARY_DIR}/=
            -D__TARGET_ARCH_${architecture} -I${CMAKE_BINARY_DIR}/include/bpf -I${CMAKE_BINARY_DIR}/include/${tool}
            -idirafter ${CMAKE_SYSROOT}/usr/include -idirafter ${CMAKE_SYSROOT}/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
            -MD -MF ${object}.d -MT ${object} -c ${source} -o ${object}.compiled
    COMMAND ${LLVM_STRIP} -g ${object}.compiled
    ${drop_lines}
    COMMAND ${BPFTOOL} gen object ${object} ${object}.compiled
    DEPENDS ${source} ${CMAKE_SOURCE_DIR}/cmake/drop_lines.py DEPFILE ${object}.d
    COMMENT "BPF ${tool}, ${architecture}" VERBATIM)
endfunction()

# plumb_bpf_object(SOURCE TOOL): X.bpf.c -> bpf/X.bpf.o -> X.skel.h of the struct X_bpf. Sets for the caller
# skeleton_target, to depend on, and skeleton_dir, where the header is.
function(plumb_bpf_object source tool)
  get_filename_component(name ${source} NAME)
  string(REPLACE ".bpf.c" "" name ${name})
  set(directory ${CMAKE_BINARY_DIR}/skeletons/${tool})
  set(object ${CMAKE_BINARY_DIR}/bpf/${name}.bpf.o)
  set(skeleton ${directory}/${name}.skel.h)
  file(MAKE_DIRECTORY ${directory})
  plumb_bpf_compile(${source} ${tool} ${BPF_TARGET_ARCH} ${object})
  # The same for the other machine, so that its types can be matched without a build for it: `ninja bpf_arm64`.
  if(BPF_TARGET_ARCH STREQUAL "x86")
    plumb_bpf_compile(${source} ${tool} arm64 ${CMAKE_BINARY_DIR}/bpf-arm64/${name}.bpf.o)
    set_property(GLOBAL APPEND PROPERTY PLUMB_BPF_ARM64 ${CMAKE_BINARY_DIR}/bpf-arm64/${name}.bpf.o)
  endif()
  add_custom_command(
    OUTPUT ${skeleton}
    COMMAND ${BPFTOOL} gen skeleton ${object} name ${name}_bpf > ${skeleton}.tmp
    COMMAND ${CMAKE_COMMAND} -E rename ${skeleton}.tmp ${skeleton}
    DEPENDS ${object} COMMENT "skeleton ${name}" VERBATIM)
  add_custom_target(${name}_skeleton DEPENDS ${skeleton})
  set(skeleton_target ${name}_skeleton PARENT_SCOPE)
  set(skeleton_dir ${directory} PARENT_SCOPE)
endfunction()
