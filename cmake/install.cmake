# Where everything lies once it is installed; the only such list. `./dev install`, the archive, and the Debian package
# take theirs from it (cmake/package.cmake).
include(GNUInstallDirs)

set(PACKAGE_FILES_DIR ${CMAKE_BINARY_DIR}/package-files)
file(MAKE_DIRECTORY ${PACKAGE_FILES_DIR})

# compressed(SOURCE OUTPUT): OUTPUT in PACKAGE_FILES_DIR, the same bytes whenever and wherever it is made.
function(compressed source output)
  add_custom_command(OUTPUT ${PACKAGE_FILES_DIR}/${output}
    COMMAND gzip -9nc ${source} > ${PACKAGE_FILES_DIR}/${output}
    DEPENDS ${source} COMMENT "${output}" VERBATIM)
  set_property(GLOBAL APPEND PROPERTY PLUMB_COMPRESSED ${PACKAGE_FILES_DIR}/${output})
endfunction()

# No links named after the tools: libbpf-tools and bpfcc-tools have programs of these names, and `ln -s` is short.
install(TARGETS plumb RUNTIME COMPONENT program)
file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/man/*.1)
foreach(page ${pages})
  get_filename_component(name ${page} NAME)
  compressed(${page} ${name}.gz)
  install(FILES ${PACKAGE_FILES_DIR}/${name}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
endforeach()
install(FILES completions/plumb.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME plumb
  COMPONENT program)
install(FILES completions/plumb.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
  COMPONENT program)
install(FILES README.md docs/containers.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(FILES deploy/daemonset.yaml deploy/Containerfile deploy/otel-collector.yaml deploy/grafana/plumb.json
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples
  COMPONENT program)

# What everybody else calls otherwise than Debian: zsh there looks below /usr into vendor-completions only, and a licence
# is named copyright.
install(FILES completions/_plumb DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT elsewhere)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT elsewhere)
install(FILES completions/_plumb DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions
  COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES cmake/debian/copyright ${PACKAGE_FILES_DIR}/changelog.Debian.gz DESTINATION ${CMAKE_INSTALL_DOCDIR}
  COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES cmake/debian/lintian-overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides RENAME plumb
  COMPONENT debian EXCLUDE_FROM_ALL)

# The licences of what is linked into the executable want to go with it. A build machine that keeps no Debian copyright
# files makes packages without them.
string(REGEX MATCH "^[0-9]+" gcc ${CMAKE_CXX_COMPILER_VERSION})
set(licences "")
foreach(package libc6-dev libstdc++-${gcc}-dev ${LINKED_PACKAGES})
  if(EXISTS ${CMAKE_SYSROOT}/usr/share/doc/${package}/copyright)
    file(READ ${CMAKE_SYSROOT}/usr/share/doc/${package}/copyright text)
    string(APPEND licences "======== ${package}\n\n${text}\n")
  endif()
endforeach()
file(WRITE ${PACKAGE_FILES_DIR}/linked-libraries "${licences}")
compressed(${PACKAGE_FILES_DIR}/linked-libraries linked-libraries.gz)
install(FILES ${PACKAGE_FILES_DIR}/linked-libraries.gz DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
