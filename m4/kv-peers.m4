# kv-peers.m4 -- what kvarena-bench may compare with
#
# For each peer NAME: the conditional PEER_NAME, HAVE_PEER_NAME in config.h,
# and NAME_CFLAGS and NAME_LIBS. Preloaded peers (jemalloc, mimalloc,
# tcmalloc) need nothing here.

# KV_PEER(NAME, MISSING, PROBE)
# PROBE sets kv_found=yes.
AC_DEFUN([KV_PEER],
[kv_found=no
AS_IF([test "x$with_bench_peers" != xno], [$3
  AS_IF([test $with_bench_peers:$kv_found = yes:no],
        [AC_MSG_ERROR([--with-bench-peers=yes, but $2 is missing])])])
AS_IF([test $kv_found = yes],
  [kv_peers="$kv_peers m4_tolower([$1])"
   AC_DEFINE([HAVE_PEER_$1], [1],
             [Define to 1 if kvarena-bench compares with m4_tolower([$1]).])])
AM_CONDITIONAL([PEER_$1], [test $kv_found = yes])])

AC_DEFUN([KV_BENCH_PEERS],
[AC_ARG_WITH([bench-peers],
  [AS_HELP_STRING([--with-bench-peers@<:@=auto|yes|no@:>@],
                  [other arenas for kvarena-bench @<:@auto@:>@])],
  [AS_CASE([$withval], [auto|yes|no], [],
           [AC_MSG_ERROR([--with-bench-peers takes auto, yes or no])])],
  [with_bench_peers=auto])
kv_peers=

KV_PEER([APR], [apr-1 (Debian: libapr1-dev)],
  [PKG_CHECK_MODULES([APR], [apr-1],
     [kv_found=yes
      # config.h says that already.
      APR_CFLAGS=$(AS_ECHO(["$APR_CFLAGS"]) | $SED 's/-D_GNU_SOURCE//g')],
     [:])])
KV_PEER([TALLOC], [talloc (Debian: libtalloc-dev)],
  [PKG_CHECK_MODULES([TALLOC], [talloc], [kv_found=yes], [:])])
KV_PEER([OBSTACK], [obstack (part of glibc)],
  [AC_CHECK_HEADER([obstack.h],
     [AC_CHECK_FUNC([_obstack_newchunk], [kv_found=yes])])])
# Where a loop happens to begin is worth a tenth of a nanosecond.
AC_SUBST([BENCH_ALIGN])
KV_TRY_FLAGS([-falign-loops=64], [BENCH_ALIGN=-falign-loops=64])

# The headers are not packaged; the names are those of one generation of upb.
AC_SUBST([UPB_LIBS])
KV_PEER([UPB], [upb (Debian: libgrpc-dev)],
  [AC_CHECK_LIB([upb], [_upb_Arena_SlowMalloc], [kv_found=yes UPB_LIBS=-lupb])])

# The rest are C++.
AC_SUBST([CXX17])
KV_PEER([PMR], [a C++17 compiler with <memory_resource>],
  [AS_IF([test $kv_cxx_works = yes],
    [AC_LANG_PUSH([C++])
     kv_save_CXXFLAGS=$CXXFLAGS
     CXXFLAGS="$CXXFLAGS -std=c++17"
     AC_MSG_CHECKING([for std::pmr])
     AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <memory_resource>]],
       [[std::pmr::monotonic_buffer_resource r;
         return r.allocate(1) == nullptr;]])],
       [kv_found=yes CXX17=-std=c++17])
     AC_MSG_RESULT([$kv_found])
     CXXFLAGS=$kv_save_CXXFLAGS
     AC_LANG_POP([C++])])])
# The lite library has the arena; the full one registers descriptors at each
# start.
KV_PEER([PROTOBUF], [protobuf (Debian: libprotobuf-dev)],
  [AS_IF([test "x$CXX17" != x],
    [PKG_CHECK_MODULES([PROTOBUF], [protobuf-lite], [kv_found=yes], [:])])])

AC_SUBST([LLVM_CFLAGS])
AC_SUBST([LLVM_LIBS])
AC_CHECK_PROGS([LLVM_CONFIG], [llvm-config-14 llvm-config])
KV_PEER([LLVM], [LLVM (Debian: llvm-14-dev)],
  [AS_IF([test "x$CXX17" != x && test -n "$LLVM_CONFIG"],
    [LLVM_CFLAGS="-isystem $($LLVM_CONFIG --includedir)"
     # Static: a hundred megabytes to load would fill the heap first.
     LLVM_LIBS="$($LLVM_CONFIG --link-static --ldflags --libs support |
       tr '\n' ' ') -ltinfo"
     AC_LANG_PUSH([C++])
     kv_save_LIBS=$LIBS
     kv_save_CXXFLAGS=$CXXFLAGS
     LIBS="$LLVM_LIBS $LIBS"
     CXXFLAGS="$CXXFLAGS $CXX17 $LLVM_CFLAGS"
     AC_MSG_CHECKING([for llvm::BumpPtrAllocator])
     AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <llvm/Support/Allocator.h>]],
       [[llvm::BumpPtrAllocator a; return a.Allocate(8, 8) == nullptr;]])],
       [kv_found=yes])
     AC_MSG_RESULT([$kv_found])
     LIBS=$kv_save_LIBS
     CXXFLAGS=$kv_save_CXXFLAGS
     AC_LANG_POP([C++])])])])
