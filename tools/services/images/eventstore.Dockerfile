# The tests' server of EventStoreDB's protocol.
ARG RONDO=rondo:local
FROM ${RONDO}
USER 0:0
RUN mkdir -p /var/lib/eventstore /var/log/eventstore && chown 10001:10001 /var/lib/eventstore /var/log/eventstore
USER 10001:10001
EXPOSE 2113
ENTRYPOINT ["/rondo/node_modules/node/bin/node", "--import", "/rondo/tools/nest-hook.mjs", "/rondo/tools/cluster/eventstore.ts"]
CMD ["/var/lib/eventstore/history", "2113", "8081", "0.0.0.0"]
