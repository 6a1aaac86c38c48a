# Read by CPack before each kind of package: which components of cmake/install.cmake go into it.
if(CPACK_GENERATOR STREQUAL "DEB")
  set(others debian)
else()
  set(others elsewhere)
endif()
set(CPACK_INSTALL_CMAKE_PROJECTS "${CPACK_PLUMB_BUILD_DIR};plumb;program;/;${CPACK_PLUMB_BUILD_DIR};plumb;${others};/")
