# kv-options.m4 -- the two shapes an option of ours may have

# KV_ENABLE(NAME, HELP)
# A feature of ours, off unless asked for. Sets $enable_NAME to yes or no.
AC_DEFUN([KV_ENABLE],
[AC_ARG_ENABLE([$1], [AS_HELP_STRING([--enable-$1], [$2 @<:@no@:>@])],
  [AS_CASE([$enableval], [yes|no], [],
           [AC_MSG_ERROR([--enable-$1 takes yes or no])])],
  [AS_TR_SH([enable_$1])=no])])

# KV_WITH(NAME, HELP, PROBE, MISSING)
# Something from outside. auto uses it if it is there, yes insists, no never
# looks. PROBE sets kv_found=yes. Sets $have_NAME to yes or no.
AC_DEFUN([KV_WITH],
[AC_ARG_WITH([$1],
  [AS_HELP_STRING([--with-$1@<:@=auto|yes|no@:>@], [$2 @<:@auto@:>@])],
  [AS_CASE([$withval], [auto|yes|no], [],
           [AC_MSG_ERROR([--with-$1 takes auto, yes or no])])],
  [AS_TR_SH([with_$1])=auto])
kv_found=no
AS_IF([test "x$AS_TR_SH([with_$1])" != xno], [$3
  AS_IF([test "x$AS_TR_SH([with_$1]):$kv_found" = xyes:no],
        [AC_MSG_ERROR([--with-$1=yes, but $4])])])
AS_TR_SH([have_$1])=$kv_found])
