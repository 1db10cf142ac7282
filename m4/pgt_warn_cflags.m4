# PGT_WARN_CFLAGS
# The warnings that the compiler knows go to WARN_CFLAGS; --enable-werror makes
# them errors (for development and CI, never for users).
AC_DEFUN([PGT_TRY_CFLAG],
[AC_MSG_CHECKING([whether $CC accepts $1])
pgt_save_CFLAGS=$CFLAGS
CFLAGS="$CFLAGS -Werror $1"
AC_COMPILE_IFELSE([AC_LANG_PROGRAM()],
  [AC_MSG_RESULT([yes]); WARN_CFLAGS="$WARN_CFLAGS $1"],
  [AC_MSG_RESULT([no])])
CFLAGS=$pgt_save_CFLAGS])

AC_DEFUN([PGT_WARN_CFLAGS],
[AC_ARG_ENABLE([werror],
  [AS_HELP_STRING([--enable-werror], [make warnings errors])])
WARN_CFLAGS=
PGT_TRY_CFLAG([-Wall])
PGT_TRY_CFLAG([-Wextra])
PGT_TRY_CFLAG([-Wformat=2])
PGT_TRY_CFLAG([-Wshadow])
PGT_TRY_CFLAG([-Wstrict-prototypes])
PGT_TRY_CFLAG([-Wmissing-prototypes])
PGT_TRY_CFLAG([-Wwrite-strings])
PGT_TRY_CFLAG([-Wpointer-arith])
PGT_TRY_CFLAG([-Wvla])
AS_IF([test "$enable_werror" = yes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
AC_SUBST([WARN_CFLAGS])])
