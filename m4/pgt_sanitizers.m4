# PGT_SANITIZERS
# --enable-sanitizers builds with AddressSanitizer and UBSan.
AC_DEFUN([PGT_SANITIZERS],
[AC_ARG_ENABLE([sanitizers],
  [AS_HELP_STRING([--enable-sanitizers], [build with ASan and UBSan])])
SANITIZER_CFLAGS=
AS_IF([test "$enable_sanitizers" = yes],
  [SANITIZER_CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"])
AC_SUBST([SANITIZER_CFLAGS])])
