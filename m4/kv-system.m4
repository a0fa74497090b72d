# kv-system.m4 -- what the machine is and has

# KV_OS
# Picks lib/os_*.c. Cygwin and MSYS have POSIX calls of their own. --enable-posix-only builds what a POSIX system without
# Linux's extensions gets.
AC_DEFUN([KV_OS],
[KV_ENABLE([posix-only], [use no extension of Linux])
AS_CASE([$host_os],
  [mingw*], [kv_os=windows],
  [linux*], [kv_os=linux],
  [kv_os=posix])
AS_IF([test $kv_os:$enable_posix_only = linux:yes], [kv_os=posix])
AS_IF([test $kv_os = linux],
  [AC_DEFINE([KV_OS_LINUX], [1], [Define to 1 if lib/os_linux.c is built.])])
AM_CONDITIONAL([OS_LINUX], [test $kv_os = linux])
AM_CONDITIONAL([OS_WINDOWS], [test $kv_os = windows])])

# KV_PTHREAD
# Sets PTHREAD_LIBS; on Windows these are winpthreads.
AC_DEFUN([KV_PTHREAD],
[AC_SUBST([PTHREAD_LIBS])
kv_save_LIBS=$LIBS
AC_SEARCH_LIBS([pthread_create], [pthread],
  [AS_IF([test "x$ac_cv_search_pthread_create" != "xnone required"],
         [PTHREAD_LIBS=$ac_cv_search_pthread_create])],
  [AC_MSG_ERROR([kvarena needs POSIX threads])])
LIBS=$kv_save_LIBS])

# KV_ATOMIC64
# Sets ATOMIC_LIBS to -latomic where 64-bit atomics are calls.
AC_DEFUN([KV_ATOMIC64],
[AC_SUBST([ATOMIC_LIBS])
AC_CACHE_CHECK([what 64-bit atomics need], [kv_cv_atomic64],
  [kv_save_LIBS=$LIBS
   kv_cv_atomic64=missing
   for kv_lib in '' -latomic; do
     LIBS="$kv_lib $kv_save_LIBS"
     AC_LINK_IFELSE([AC_LANG_PROGRAM([[
         #include <stdatomic.h>
         #include <stdint.h>
         static _Atomic uint64_t v;
         static _Atomic unsigned char c;]],
       [[c++; return (int)atomic_fetch_add(&v, 1);]])],
       [kv_cv_atomic64=${kv_lib:-nothing}; break])
   done
   LIBS=$kv_save_LIBS])
AS_CASE([$kv_cv_atomic64],
  [missing], [AC_MSG_ERROR([kvarena needs 64-bit atomics])],
  [-l*], [ATOMIC_LIBS=$kv_cv_atomic64])])

# KV_UNWIND
# Sets kv_cv_unwind: whether stacks can be unwound. Debian's musl-gcc brings a
# libgcc that asks glibc for help.
AC_DEFUN([KV_UNWIND],
[AC_CACHE_CHECK([whether stacks can be unwound], [kv_cv_unwind],
  [AC_LINK_IFELSE([AC_LANG_PROGRAM([[
      #include <unwind.h>
      static _Unwind_Reason_Code
      visit(struct _Unwind_Context *c, void *p) { return c == p; }]],
    [[return (int)_Unwind_Backtrace(visit, 0);]])],
    [kv_cv_unwind=yes], [kv_cv_unwind=no])])])

# KV_FIND_NUMA
# Both the header and a library for this host: a cross compiler may see the
# build machine's header. Sets NUMA_LIBS; the library links it, nobody else.
AC_DEFUN([KV_FIND_NUMA],
[AC_SUBST([NUMA_LIBS])
kv_save_LIBS=$LIBS
AS_IF([test $kv_os = linux],
  [AC_CHECK_HEADER([numa.h],
    [AC_CHECK_HEADER([numaif.h],
      [AC_SEARCH_LIBS([numa_available], [numa], [kv_found=yes])])])])
AS_IF([test $kv_found = yes &&
       test "x$ac_cv_search_numa_available" != "xnone required"],
      [NUMA_LIBS=$ac_cv_search_numa_available])
LIBS=$kv_save_LIBS])

# KV_FIND_CHECK
# pkg-config may answer for the build machine, so a program must link.
AC_DEFUN([KV_FIND_CHECK],
[PKG_CHECK_MODULES([CHECK], [check >= 0.11.0],
  [kv_save_LIBS=$LIBS
   kv_save_CPPFLAGS=$CPPFLAGS
   LIBS="$CHECK_LIBS $PTHREAD_LIBS $LIBS"
   CPPFLAGS="$CPPFLAGS $CHECK_CFLAGS"
   AC_MSG_CHECKING([whether a program links with Check])
   AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <check.h>]],
     [[return srunner_ntests_failed(srunner_create(suite_create("s")));]])],
     [kv_found=yes])
   AC_MSG_RESULT([$kv_found])
   LIBS=$kv_save_LIBS
   CPPFLAGS=$kv_save_CPPFLAGS], [:])])

# KV_REPRODUCIBLE_TAR
# "make dist" gives the same bytes every time; see tools/tar-options.
AC_DEFUN([KV_REPRODUCIBLE_TAR],
[AC_REQUIRE([AM_INIT_AUTOMAKE])
am__tar='TAR_OPTIONS="$$($(SHELL) $(top_srcdir)/tools/tar-options $(top_srcdir))" '$am__tar])
