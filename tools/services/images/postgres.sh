#!/bin/sh
# The database of the container, made at its first start.
set -eu
data=/var/lib/postgresql/data
user=${POSTGRES_USER:-postgres}
if [ ! -s "$data/PG_VERSION" ]; then
  printf '%s' "${POSTGRES_PASSWORD:?}" > /tmp/password
  initdb -D "$data" --username="$user" --pwfile=/tmp/password --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 > /dev/null
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> "$data/pg_hba.conf"
  if [ "${POSTGRES_DB:-$user}" != postgres ]; then
    # Nobody from outside before the database is there.
    pg_ctl -D "$data" -w start -o '-c listen_addresses= -c unix_socket_directories=/tmp' > /dev/null
    PGPASSWORD=$POSTGRES_PASSWORD createdb -h /tmp -U "$user" "${POSTGRES_DB:-$user}"
    pg_ctl -D "$data" -w stop > /dev/null
  fi
fi
exec "$@" -D "$data" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
