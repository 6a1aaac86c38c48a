# How plumb is given away, for `./dev package`: what CPack has to know, and the names that carry the version.
set(PLUMB_MAINTAINER "plumb maintainers <maintainers@plumb.invalid>")  # RFC 2606: there is no such mailbox

# A commit that carries the tag vVERSION is that version. Any other sorts before it and after its own ancestors.
set(version ${PROJECT_VERSION})
set(revision ${PROJECT_VERSION})
if(git_commit)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env TZ=UTC0
    ${GIT} log -1 --date=format-local:%Y%m%d%H%M%S "--format=%cd;%cD"
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE commit_times OUTPUT_STRIP_TRAILING_WHITESPACE)
  execute_process(COMMAND ${GIT} tag --points-at HEAD
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE tags OUTPUT_STRIP_TRAILING_WHITESPACE)
  list(GET commit_times 0 sortable_time)
  list(GET commit_times 1 changelog_time)
  string(REGEX MATCHALL "[^\n]+" tags "${tags}")
  if(NOT "v${PROJECT_VERSION}" IN_LIST tags OR git_commit MATCHES "dirty")
    string(REPLACE "-" "." commit ${git_commit})
    set(version ${PROJECT_VERSION}~git${sortable_time}.${commit})
    set(revision "commit ${git_commit}")
  endif()
else()
  string(TIMESTAMP changelog_time "%a, %d %b %Y %H:%M:%S +0000" UTC)  # of SOURCE_DATE_EPOCH where that is set
endif()
set(PLUMB_PACKAGE_VERSION ${version})
set(PLUMB_PACKAGE_REVISION ${revision})
set(PLUMB_PACKAGE_TIME ${changelog_time})

configure_file(cmake/debian/changelog.in ${PACKAGE_FILES_DIR}/changelog.Debian @ONLY)
compressed(${PACKAGE_FILES_DIR}/changelog.Debian changelog.Debian.gz)
get_property(files GLOBAL PROPERTY PLUMB_COMPRESSED)
add_custom_target(package_files ALL DEPENDS ${files})

set(CPACK_PACKAGE_NAME plumb)
set(CPACK_PACKAGE_VENDOR plumb)
set(CPACK_PACKAGE_CONTACT ${PLUMB_MAINTAINER})
set(CPACK_PACKAGE_VERSION ${version})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "trace connections and lost packets of the whole host")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"plumb shows who connects where, how long that takes and how it ends, and
which packets die and why, for every process and container of a Linux host,
from one terminal. It traces with BPF programs, which vanish with it.

The executable is static and needs Linux 5.8 or later with BTF.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
if(CMAKE_CROSSCOMPILING)
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${BPF_TARGET_ARCH})  # arm64; else the builder's is taken
endif()
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_MONOLITHIC_INSTALL ON)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/package)

# The archive is packed by cmake/archive.cmake: CPack's own has the builder's user in it and the order of the directory.
set(CPACK_GENERATOR DEB External)
set(CPACK_PACKAGE_FILE_NAME plumb-${version}-linux-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_EXTERNAL_ENABLE_STAGING ON)
set(CPACK_EXTERNAL_PACKAGE_SCRIPT ${CMAKE_SOURCE_DIR}/cmake/archive.cmake)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_SOURCE_DIR}/cmake/components.cmake)
set(CPACK_PLUMB_BUILD_DIR ${CMAKE_BINARY_DIR})
include(CPack)
