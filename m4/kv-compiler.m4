# kv-compiler.m4 -- warnings, sanitizers, C++, linker

# KV_TRY_FLAGS(FLAGS, IF-ACCEPTED, [IF-NOT])
# Link a program with FLAGS. -Werror, since clang only warns of unknown ones.
AC_DEFUN([KV_TRY_FLAGS],
[AC_MSG_CHECKING([whether $CC takes $1])
kv_save_CFLAGS=$CFLAGS
CFLAGS="$CFLAGS $1 -Werror"
AC_LINK_IFELSE([AC_LANG_SOURCE([[int main(void) { return 0; }]])],
               [kv_flags_ok=yes], [kv_flags_ok=no])
CFLAGS=$kv_save_CFLAGS
AC_MSG_RESULT([$kv_flags_ok])
AS_IF([test $kv_flags_ok = yes], [$2], [$3])])

# KV_PROG_CXX_WORKS
# C++ serves tests and benchmarks only, so a machine without it is fine.
AC_DEFUN([KV_PROG_CXX_WORKS],
[AC_LANG_PUSH([C++])
AC_MSG_CHECKING([whether the C++ compiler works])
AC_LINK_IFELSE([AC_LANG_SOURCE([[
  #include <new>
  int main() { return 0; }]])], [kv_cxx_works=yes], [kv_cxx_works=no])
AC_MSG_RESULT([$kv_cxx_works])
AC_LANG_POP([C++])
AC_SUBST([kv_cxx_works])
AM_CONDITIONAL([HAVE_CXX], [test $kv_cxx_works = yes])])

# KV_WARNINGS
# Sets KV_CFLAGS and KV_CXXFLAGS; every Makefile.am uses them.
AC_DEFUN([KV_WARNINGS],
[AC_SUBST([KV_CFLAGS])
AC_SUBST([KV_CXXFLAGS])
for kv_flag in -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes \
               -Wmissing-prototypes; do
  KV_TRY_FLAGS([$kv_flag], [KV_CFLAGS="${KV_CFLAGS:+$KV_CFLAGS }$kv_flag"])
done
KV_CXXFLAGS="-Wall -Wextra"
AS_IF([test $enable_werror = yes],
      [KV_CFLAGS="$KV_CFLAGS -Werror" KV_CXXFLAGS="$KV_CXXFLAGS -Werror"])
AC_SUBST([KV_HIDDEN])
KV_TRY_FLAGS([-fvisibility=hidden], [KV_HIDDEN=-fvisibility=hidden])])

# KV_SANITIZERS
# Adds the flags of --enable-asan, -tsan, -ubsan, -msan and -coverage.
AC_DEFUN([KV_SANITIZERS],
[kv_sanitizers=
kv_san_flags=
AS_IF([test $enable_asan = yes],
      [kv_sanitizers="$kv_sanitizers address"])
AS_IF([test $enable_tsan = yes],
      [kv_sanitizers="$kv_sanitizers thread"])
AS_IF([test $enable_msan = yes],
      [kv_sanitizers="$kv_sanitizers memory"
       kv_san_flags="$kv_san_flags -fsanitize-memory-track-origins"])
AS_CASE([$kv_sanitizers], [*' '*' '*],
  [AC_MSG_ERROR([--enable-asan, -tsan and -msan exclude one another])])
AS_IF([test $enable_ubsan = yes],
      [kv_sanitizers="$kv_sanitizers undefined"
       kv_san_flags="$kv_san_flags -fno-sanitize-recover=all"])
for kv_s in $kv_sanitizers; do
  kv_san_flags="$kv_san_flags -fsanitize=$kv_s"
done
AS_IF([test -n "$kv_sanitizers"],
      [kv_san_flags="$kv_san_flags -fno-omit-frame-pointer"])
AS_IF([test $enable_coverage = yes],
      [kv_san_flags="$kv_san_flags --coverage -fprofile-update=atomic -O0"])
AS_IF([test -n "$kv_san_flags"],
  [KV_TRY_FLAGS([$kv_san_flags],
     [KV_CFLAGS="$KV_CFLAGS$kv_san_flags"
      KV_CXXFLAGS="$KV_CXXFLAGS$kv_san_flags"],
     [AC_MSG_ERROR([$CC does not link with$kv_san_flags])])])
# -O0 must come after the -O2 of CFLAGS to count.
AS_IF([test $enable_coverage = yes],
      [CFLAGS="$CFLAGS -O0" CXXFLAGS="$CXXFLAGS -O0"])
AM_CONDITIONAL([SANITIZED], [test -n "$kv_sanitizers"])])

# KV_LINKER
# Sets KV_EXPORTS: what shows of the shared library is kv_arena_* only, with
# versions where the linker knows them, and it is never unloaded under the
# feet of a thread that still has to exit through it.
AC_DEFUN([KV_LINKER],
[AC_SUBST([KV_EXPORTS])
echo 'T { local: *; };' > conftest.map
KV_TRY_FLAGS([-Wl,--version-script=conftest.map],
  [kv_map=yes
   KV_EXPORTS='-Wl,--version-script=$(srcdir)/libkvarena.map'],
  [kv_map=no
   KV_EXPORTS="-export-symbols-regex '^kv_arena_'"])
rm -f conftest.map
AM_CONDITIONAL([HAVE_VERSION_SCRIPT], [test $kv_map = yes])
KV_TRY_FLAGS([-Wl,-z,nodelete], [KV_EXPORTS="$KV_EXPORTS -Wl,-z,nodelete"])
# A sanitizer's run time is in the program, so its names are undefined here.
AS_IF([test -z "$kv_sanitizers"],
  [KV_TRY_FLAGS([-Wl,-z,defs], [KV_EXPORTS="$KV_EXPORTS -Wl,-z,defs"])])])
