# The version is the project's, plus git's short commit when the tree is a checkout. Written only when it changes.
set(git_commit "")
find_program(GIT git)
if(GIT AND EXISTS ${CMAKE_SOURCE_DIR}/.git)
  execute_process(COMMAND ${GIT} describe --always --dirty --abbrev=9 --exclude=*
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE git_commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(git_commit)
  set(PLUMB_VERSION_TEXT "${PROJECT_VERSION} (${git_commit})")
else()
  set(PLUMB_VERSION_TEXT "${PROJECT_VERSION}")
endif()
configure_file(${CMAKE_SOURCE_DIR}/cmake/version.h.in ${CMAKE_BINARY_DIR}/generated/version.h @ONLY)
