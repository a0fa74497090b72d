# kv-examples.m4 -- which libraries the examples can be tried with
#
# For each NAME: the conditional EXAMPLE_NAME, and NAME_CFLAGS and NAME_LIBS.
# A missing library is never an error: its example is left out.

# KV_EXAMPLE(NAME, FUNCTION, MODULE...)
# The first pkg-config module that is there, if FUNCTION can be linked: when
# cross compiling pkg-config may know the wrong machine's.
AC_DEFUN([KV_EXAMPLE],
[kv_found=no
AS_IF([test "x$with_examples" != xno],
  [m4_foreach_w([kv_module], [$3],
    [AS_IF([test $kv_found = no],
      [PKG_CHECK_EXISTS([kv_module],
        [EX_$1_CFLAGS=$($PKG_CONFIG --cflags kv_module)
         EX_$1_LIBS=$($PKG_CONFIG --libs kv_module)
         kv_save_LIBS=$LIBS
         LIBS="$EX_$1_LIBS $LIBS"
         AC_MSG_CHECKING([for $2 in kv_module])
         AC_LINK_IFELSE([AC_LANG_CALL([], [$2])], [kv_found=yes])
         AC_MSG_RESULT([$kv_found])
         LIBS=$kv_save_LIBS])])
    ])])
AS_IF([test $kv_found = yes], [kv_examples="$kv_examples m4_tolower([$1])"])
AC_SUBST([EX_$1_CFLAGS])
AC_SUBST([EX_$1_LIBS])
AM_CONDITIONAL([EXAMPLE_$1], [test $kv_found = yes])])

AC_DEFUN([KV_EXAMPLES],
[AC_ARG_WITH([examples],
  [AS_HELP_STRING([--with-examples@<:@=auto|no@:>@],
                  [examples with other libraries @<:@auto@:>@])],
  [AS_CASE([$withval], [auto|no], [],
           [AC_MSG_ERROR([--with-examples takes auto or no])])],
  [with_examples=auto])
kv_examples=
AC_CHECK_PROGS([PROTOC_C], [protoc-c])
AS_IF([test -n "$PROTOC_C"], [kv_proto=libprotobuf-c], [kv_proto=no-protoc-c])
KV_EXAMPLE([PROTOBUF_C], [protobuf_c_message_unpack], [$kv_proto])
KV_EXAMPLE([CJSON], [cJSON_ParseWithLength], [libcjson])
KV_EXAMPLE([LUA], [lua_newstate], [lua5.4 lua-5.4 lua54])
KV_EXAMPLE([CMARK], [cmark_parser_new_with_mem], [libcmark])
KV_EXAMPLE([NGHTTP2], [nghttp2_hd_deflate_new2], [libnghttp2])
KV_EXAMPLE([ZLIB], [deflateInit2_], [zlib])
KV_EXAMPLE([ZSTD], [ZSTD_createCCtx_advanced], [libzstd])
KV_EXAMPLE([EXPAT], [XML_ParserCreate_MM], [expat])
KV_EXAMPLE([YAJL], [yajl_alloc], [yajl])])
