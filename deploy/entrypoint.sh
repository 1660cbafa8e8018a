#!/bin/sh
# rondo SERVICE [options]: the service as the container's first process, so that signals reach it.
set -eu
node=/rondo/node_modules/node/bin/node
usage="usage: rondo SERVICE [options]; SERVICE is scheduler, executor-gateway, worker, alerting, query, standalone or cli"
service=${1:-}
case $service in
  scheduler | executor-gateway | worker | alerting | query | standalone | cli) shift ;;
  # For the container's health check, every few seconds: too often for a process of Node's.
  health) exec bash -c 'exec 3<> /dev/tcp/127.0.0.1/8081 && printf "GET /healthz HTTP/1.0\r\n\r\n" >&3 && read -r -t 5 _ status _ <&3 && [ "$status" = 200 ]' ;;
  '' | --help | -h) echo "$usage"; exit 0 ;;
  *) echo "rondo: there is no service '$service'; $usage" >&2; exit 2 ;;
esac
exec "$node" --enable-source-maps --import /rondo/tools/nest-hook.mjs "/rondo/apps/$service/src/main.ts" "$@"
