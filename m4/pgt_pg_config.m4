# PGT_PG_CONFIG
# Finds the PostgreSQL that the extension is built for: --with-pg-config=PATH,
# else pg_config from PATH; --without-extension builds the collector alone.
# ext/Makefile is PGXS and does the work; this only finds pg_config and checks
# that the server's headers are there.
AC_DEFUN([PGT_PG_CONFIG],
[AC_ARG_WITH([pg-config],
  [AS_HELP_STRING([--with-pg-config=PATH], [pg_config of the PostgreSQL to build the extension for])],
  [PG_CONFIG=$withval], [PG_CONFIG=])
AC_ARG_WITH([extension],
  [AS_HELP_STRING([--without-extension], [build the collector alone])],
  [], [with_extension=yes])
pgt_extension_summary="not built (--without-extension)"
AS_IF([test "$with_extension" != no], [
  AS_IF([test -z "$PG_CONFIG"], [AC_PATH_PROG([PG_CONFIG], [pg_config])])
  AS_IF([test -z "$PG_CONFIG"],
    [AC_MSG_ERROR([pg_config not found: install PostgreSQL's server headers (postgresql-server-dev-15), name it with --with-pg-config=PATH, or build the collector alone with --without-extension])])
  AC_MSG_CHECKING([for PostgreSQL's server headers])
  pgt_includedir=`"$PG_CONFIG" --includedir-server 2>/dev/null`
  AS_IF([test -f "$pgt_includedir/postgres.h"], [AC_MSG_RESULT([$pgt_includedir])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([$PG_CONFIG knows no server headers: install them (postgresql-server-dev-15), or build the collector alone with --without-extension])])
  pgt_extension_summary=`"$PG_CONFIG" --version`
])
AC_SUBST([PG_CONFIG])
AC_ARG_VAR([EXTENSION_ROOT], [folder put before the server's own, where the extension is installed; empty for the running system])
AM_CONDITIONAL([WITH_EXTENSION], [test "$with_extension" != no])])
