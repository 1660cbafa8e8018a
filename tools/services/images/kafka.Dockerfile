# Takes the settings of apache/kafka's image in its form, KAFKA_…, through the same program of Kafka's own.
FROM debian:bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends openjdk-17-jre-headless \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 1000 --create-home appuser \
  && mkdir -p /var/lib/kafka/data /mnt/shared/config /opt/kafka/config /opt/kafka/bin /etc/kafka/docker \
  && chown -R appuser /var/lib/kafka /opt/kafka
COPY lib /opt/kafka/libs
COPY kafka.sh /opt/kafka/bin/run.sh
RUN ln -s run.sh /opt/kafka/bin/kafka-topics.sh \
  && for name in server.properties log4j2.yaml tools-log4j2.yaml; do : > "/etc/kafka/docker/$name"; done \
  && printf 'process.roles=broker,controller\n' > /etc/kafka/docker/server.properties
USER appuser
EXPOSE 9092
ENTRYPOINT ["/opt/kafka/bin/run.sh"]
