# Takes the settings of the postgres image that are in use here: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, and arguments.
FROM debian:bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends postgresql-15 \
  && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/15 \
  && mkdir -p /var/lib/postgresql/data && chown -R postgres:postgres /var/lib/postgresql \
  && ln -s /usr/lib/postgresql/15/bin/* /usr/local/bin/ 2> /dev/null || true
COPY postgres.sh /usr/local/bin/run-postgres
VOLUME /var/lib/postgresql/data
USER postgres
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["run-postgres"]
CMD ["postgres"]
